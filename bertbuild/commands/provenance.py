"""sbom and verify-provenance: what backends are made of, and whether results are what is said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.backends import BACKENDS, canonical
from bertbuild.commands.result import Result
from bertbuild.commands.selection import built, misled_error, misled_names
from bertbuild.commands.session import Session, shown
from bertbuild.errors import ProvenanceError, UsageError
from bertbuild.names import did_you_mean
from bertbuild.plural import are, number_of
from bertbuild.provenance.sbom import FOLDER, materials
from bertbuild.provenance.verify import Findings, verify
from bertbuild.store.naming import below
from bertbuild.store.opened import changed, manifests_of
from bertbuild.store.records import read_records
from bertbuild.store.store import Store

ARCHIVES = (".tar.gz", ".tgz", ".zip", ".tar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sbom:
    """A CycloneDX file, and the SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sboms(Result):
    """The bill of materials of each backend."""

    sboms: Mapping[str, Sbom]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance(Result):
    """What came out of comparing results with their statements: "MODEL TARGET", or a folder → findings."""

    provenance: Mapping[str, Findings]

    def facts(self) -> dict[str, Any]:
        """A list, each with its name."""
        return {"provenance": [{"name": name, **found.as_json()} for name, found in self.provenance.items()]}


def sbom(session: Session, backends: tuple[str, ...]) -> Sboms:
    """Write the SBOM of each backend.

    Raises:
        UsageError: there is no such backend.
        LockFileError: a lock file cannot be read as one.
    """
    backends = tuple(dict.fromkeys(map(canonical, backends)))
    unknown = sorted(set(backends) - set(BACKENDS))
    if unknown:
        raise UsageError(
            f"There is no backend {unknown[0]!r}{did_you_mean(unknown[0], BACKENDS)}",
            next_step=f"Backends: {', '.join(BACKENDS)}; with commas for several.",
        )
    written = {backend: materials(backend, session.store.root) for backend in backends or BACKENDS}
    folder = session.store.root / FOLDER
    return session.result(
        Sboms(sboms={name: Sbom(path=folder / made.name, sha256=made.sha256) for name, made in written.items()}),
        *(f"{name}: {shown(folder / made.name)}" for name, made in written.items()),
    )


def verify_provenance(session: Session, names: Sequence[str] = (), *, path: str = "") -> Provenance:
    """Compare built targets, or the artifact in a folder, with their statements.

    Args:
        session: of the command.
        names: models, targets, model/target, or patterns of these; empty for all.
        path: the folder of an artifact or of a package, or a file in it.

    Raises:
        ProvenanceError: one is not what its statement says, or has none.
        MisledNameError: nothing else is wrong than that names in out/ lead elsewhere than is on record of them.
        UsageError: there is nothing of that name.
    """
    store = _store(session)
    found = {label: verify(folder, store) for label, folder in _folders(session, names, path).items()}
    misled = _misled(session, names, path, found)
    if store is not None and not path:
        manifests = manifests_of(read_records(store))
        for record in built(store, names):
            problems = changed(store, record, manifests)
            found[f"{record.model} {record.target.name}"].wrong.extend(text for _, text in problems)
    for label, findings in found.items():
        session.report({"event": "provenance", "name": label, **findings.as_json()})
    wrong = {label: findings for label, findings in found.items() if findings.wrong}
    if wrong:
        raise misled_error(misled) if len(misled) == sum(len(each.wrong) for each in wrong.values()) else _error(wrong)
    told = sum(len(findings.told) for findings in found.values())
    known = f"; {number_of(told, 'thing')} to know, marked ?" if told else ""
    return session.result(
        Provenance(provenance=found),
        f"verified: {len(found)} of {number_of(len(found), 'result')} {are(len(found))} what "
        f"{are(len(found), 'its statement says', 'their statements say')}{known}",
    )


def _folders(session: Session, names: Sequence[str], path: str) -> dict[str, Path]:
    """What to look at: a name for people, and its folder."""
    if path and names:
        raise UsageError(
            f"--path names one artifact, and {names[0]} names another.", next_step="Give the one or the other."
        )
    if path:
        if Path(path).is_file() and path.endswith(ARCHIVES):
            raise UsageError(f"{path} is an archive.", next_step="Unpack it, and name the folder that was in it.")
        folder = Path(path).parent if Path(path).is_file() else Path(path)
        if not folder.is_dir():
            raise UsageError(
                f"{path} is not a folder.",
                next_step="Give the folder of an artifact: out/MODEL/TARGET, or a copy of it.",
            )
        return {str(folder): folder.resolve()}
    store = _store(session)
    if store is None:
        raise UsageError(
            "Nothing is built here.",
            next_step="Build something first, or name an artifact that lies elsewhere: --path FOLDER",
        )
    return {
        f"{record.model} {record.target.name}": store.objects.joinpath(*record.results[record.target.step])
        for record in built(store, names)
    }


def _misled(session: Session, names: Sequence[str], path: str, found: dict[str, Findings]) -> list[str]:
    """What is wrong with the names in out/ of what was looked at; it is added to what was found of them."""
    store = _store(session)
    if store is None:
        return []
    labels: dict[str, str] = {}
    if path:
        inside = below(Path(path), store.root)
        if inside is None or inside.parts[:1] != ("out",) or len(inside.parts) < 3:
            return []
        names = ["/".join(inside.parts[1:3])]
        labels[names[0]] = next(iter(found))
    problems = misled_names(store, names)
    for item in problems:
        label = labels.get(item.name, f"{item.model} {item.target}")
        folder = store.root / "out" / item.model / item.target
        found.setdefault(label, Findings(path=folder)).wrong.append(item.problem)
    return [item.problem for item in problems]


def _store(session: Session) -> Store | None:
    """The store, if there is one: to look at a copy, none is made."""
    return session.store if (session.settings.artifacts / "objects").is_dir() else None


def _error(wrong: Mapping[str, Findings]) -> ProvenanceError:
    lines = [f"{label}: {line}" for label, findings in wrong.items() for line in findings.wrong]
    label, first = next(iter(wrong.items()))
    more = len(lines) - 1
    others = f" ({number_of(more, 'more difference')})" if more else ""
    return ProvenanceError(
        f"{label} is not what its statement says: {first.wrong[0]}{others}.",
        next_step="Copy it again from where it was built, or build it again: what is damaged is set aside.",
        details="\n".join(lines),
    )
