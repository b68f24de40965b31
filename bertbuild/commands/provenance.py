"""sbom and verify-provenance: what backends are made of, and whether results are what is said of them."""

from __future__ import annotations

from pathlib import Path

from bertbuild.errors import ProvenanceError, UsageError
from bertbuild.provenance.sbom import FOLDER, materials
from bertbuild.provenance.verify import Findings, verify
from bertbuild.records import read_records
from bertbuild.session import Session, shown
from bertbuild.stages import BACKENDS
from bertbuild.store import Store


def sbom(session: Session, backends: tuple[str, ...]) -> None:
    """Write the SBOM of each backend.

    Raises:
        UsageError: there is no such backend.
        LockFileError: a lock file cannot be read as one.
    """
    unknown = sorted(set(backends) - set(BACKENDS))
    if unknown:
        raise UsageError(
            f"There is no backend {unknown[0]!r}.",
            next_step=f"Backends: {', '.join(BACKENDS)}; with commas for several.",
        )
    written = {backend: materials(backend, session.store.root) for backend in backends or BACKENDS}
    folder = session.store.root / FOLDER
    session.result(
        {"sboms": {name: {"path": str(folder / made.name), "sha256": made.sha256} for name, made in written.items()}},
        *(f"{name}: {shown(folder / made.name)}" for name, made in written.items()),
    )


def verify_provenance(session: Session, *, model: str, target: str, path: str) -> None:
    """Compare built targets, or the artifact in a folder, with their statements.

    Raises:
        ProvenanceError: one is not what its statement says, or has none.
        UsageError: there is nothing of that name.
    """
    found = [verify(folder, _store(session)) for folder in _folders(session, model, target, path)]
    for findings in found:
        session.report({"event": "provenance", **findings.as_json()})
    wrong = [findings for findings in found if findings.wrong]
    if wrong:
        raise _error(wrong)
    told = sum(len(findings.told) for findings in found)
    lines = [f"verified: {len(found)} of {len(found)} results are what their statements say"]
    lines += [f"{told} thing{'s' * (told != 1)} to know, marked ? above"] if told else []
    session.result({"provenance": [findings.as_json() for findings in found]}, *lines)


def _folders(session: Session, model: str, target: str, path: str) -> list[Path]:
    if path and (model or target):
        raise UsageError("--path names one artifact, --model and --target name others.", next_step="Give one of both.")
    if path:
        folder = Path(path).resolve()
        if not folder.is_dir():
            raise UsageError(
                f"{path} is no folder.", next_step="Give the folder of an artifact: out/MODEL/TARGET, or a copy of it."
            )
        return [folder]
    store = _store(session)
    records = list(read_records(store, model, target)) if store else []
    if not records:
        wanted = " ".join(filter(None, (model, target))) or "that has provenance"
        raise UsageError(
            f"Nothing is built {wanted}.",
            next_step="invoke status shows what is built; --path names an artifact that lies elsewhere.",
        )
    assert store is not None  # noqa: S101 - it had records
    return list(dict.fromkeys(store.objects.joinpath(*record.results[record.target.step]) for record in records))


def _store(session: Session) -> Store | None:
    """The store, if there is one: to look at a copy, none is made."""
    return session.store if (session.settings.artifacts / "objects").is_dir() else None


def _error(wrong: list[Findings]) -> ProvenanceError:
    first = wrong[0]
    more = sum(len(findings.wrong) for findings in wrong) - 1
    others = f" ({more} more difference{'s' * (more != 1)})" if more else ""
    return ProvenanceError(
        f"{shown(first.path)} is not what its statement says: {first.wrong[0]}{others}.",
        next_step="Copy it again from where it was built, or build it again: what is damaged is set aside.",
        details="\n".join(f"{shown(findings.path)}: {line}" for findings in wrong for line in findings.wrong),
    )
