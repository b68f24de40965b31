"""package: a built target as a folder that is complete in itself, for a server or a program."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertbuild.commands.package_request import Package
from bertbuild.commands.package_target import Found, examples_of, find_target, measured_of
from bertbuild.commands.predict_texts import Predict
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.errors import ProvenanceError, StoreError, UsageError
from bertbuild.files.digests import sha256_file
from bertbuild.files.disk import full_disk_told
from bertbuild.json_text import parse_json
from bertbuild.names import did_you_mean
from bertbuild.packaging.card import card
from bertbuild.packaging.layouts import LAYOUTS, Layout
from bertbuild.packaging.licences import DATA, WEIGHTS, Licence, forbidding, licences
from bertbuild.packaging.lineage import lineage
from bertbuild.packaging.origin import statement
from bertbuild.packaging.packed import Files
from bertbuild.packaging.writing import write_archive, write_folder
from bertbuild.plural import number_of
from bertbuild.provenance.sbom import FOLDER as SBOMS
from bertbuild.provenance.sbom import sbom_of_today
from bertbuild.stages import PROVENANCE, STAGES

CARD, LICENCES, SBOM = "README.md", "licences.json", "sbom.cdx.json"
"""What every package has, besides its statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged(Result):
    """A package.

    Attributes:
        target: MODEL/TARGET.
        format: its layout.
        path: the folder.
        archive: the .tar.gz, None where none was asked for.
        files: sha256 of each file, by its name in the folder.
        licences: of weights, data and packages.
    """

    target: str
    format: str
    path: Path
    archive: Path | None
    files: Mapping[str, str]
    licences: tuple[Licence, ...]


def package(session: Session, asked: Package) -> Packaged:
    """Pack a target; the folder is there once it is whole.

    Raises:
        UsageError: there is no such target, the layout cannot take it, a licence forbids it, or the folder is there.
        ParityError, NotVerifiedError: the target did not pass its gate.
        DataError: it carries no tokenizer, or --examples cannot be read.
        ProvenanceError: it has no statement of how it was made.
    """
    layout = LAYOUTS[asked.format]
    root = f"{asked.target.replace('/', '-')}-{asked.format}"
    folder = Path(asked.to or root)
    archive = folder.with_name(f"{folder.name}.tar.gz") if asked.archive else None
    _check_free(folder, archive)
    found = find_target(session, asked.target, layout)
    if layout.needs_examples:
        examples = examples_of(session, found, _predict(asked))
        found = replace(found, packed=replace(found.packed, examples=examples))
    files, terms = _files(session, found, layout, asked.allow_licence)
    digests = {name: _sha256(content) for name, content in files.items()}
    said = _statement(found, layout, digests)
    files[PROVENANCE] = _json(said)
    digests[PROVENANCE] = _sha256(files[PROVENANCE])
    _write(files, folder, root, archive)
    told = [f"{shown(folder)}: {number_of(len(files), 'file')}", *([shown(archive)] if archive else [])]
    return session.result(
        Packaged(target=asked.target, format=layout.name, path=folder, archive=archive, files=digests, licences=terms),
        *told,
    )


def _check_free(*paths: Path | None) -> None:
    for path in filter(None, paths):
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} is there already.", next_step="Name another with --to, or remove it.")


def _predict(asked: Package) -> Predict | None:
    """The texts of --examples, as predict is given them."""
    if not asked.examples:
        return None
    columns = asked.text_column, asked.text_pair_column
    return Predict(target=asked.target, file=asked.examples, text_column=columns[0], text_pair_column=columns[1])


def _files(session: Session, found: Found, layout: Layout, allowed: str) -> tuple[Files, tuple[Licence, ...]]:
    """All files but the statement, and the licences.

    Raises:
        UsageError: a licence forbids to publish.
    """
    packed, stored = found.packed, found.stored
    origin = lineage(session.store, stored.stage, stored.key, str(packed.text["task"]), session.settings.models_lock)
    terms = licences(packed.model, origin, layout.packages(packed))
    _check_licences(session, packed.label, terms, [name.strip() for name in allowed.split(",") if name.strip()])
    files = layout.files(packed)
    files[LICENCES] = _json([one.as_json() for one in terms])
    files[SBOM] = _sbom(session, found)
    measured = tuple(measured_of(session, found))
    files[CARD] = card(packed, layout.use(packed), origin, terms, measured).encode()
    return files, terms


def _check_licences(session: Session, label: str, terms: Sequence[Licence], allowed: Sequence[str]) -> None:
    known = [one.spdx for one in terms if one.spdx]
    for name in allowed:
        if name not in known:
            raise UsageError(
                f"--allow-licence {name}: nothing in this package is under it{did_you_mean(name, known)}",
                next_step=f"Its licences: {', '.join(dict.fromkeys(known)) or 'none is known'}.",
            )
    forbid = forbidding(terms, allowed)
    if forbid:
        first = forbid[0]
        raise UsageError(
            f"{label} was made with {first.name}, whose licence does not allow publishing or commercial use: "
            f"{first.terms}",
            next_step="If you have permission, or do not publish the package: "
            f"--allow-licence {','.join(dict.fromkeys(one.spdx for one in forbid))}",
        )
    unknown = [f"{one.name} ({one.part})" for one in terms if not one.spdx and one.part in (WEIGHTS, DATA)]
    if unknown:
        text = f"no licence is known of {', '.join(unknown)}; the model card says so"
        session.report({"event": "warning", "text": text})


def _sbom(session: Session, found: Found) -> bytes:
    """The bill of materials that the target's statement names, else today's of the backend that made it."""
    folder = session.store.root / SBOMS
    for entry in _made(found)["resolvedDependencies"]:
        name = str(entry["name"])
        path = folder / name.removeprefix(f"{SBOMS}/")
        if name.startswith(f"{SBOMS}/") and path.is_file():
            return path.read_bytes()
    step = found.record.plan.step(found.record.target.step)
    return sbom_of_today(step.backend or STAGES[step.stage].backend)


def _statement(found: Found, layout: Layout, digests: Mapping[str, str]) -> dict[str, Any]:
    stored = found.stored
    return statement(
        layout=layout.name,
        stage=stored.stage,
        key=stored.key,
        digest=stored.digest,
        made=_made(found),
        sha256=digests,
    )


def _made(found: Found) -> dict[str, Any]:
    """What the target's own statement says of how it was made."""
    try:
        said = parse_json((found.stored.path / PROVENANCE).read_text(encoding="utf-8"))
        definition = said["predicate"]["buildDefinition"]
        names = [str(entry["name"]) for entry in definition["resolvedDependencies"]]
        assert {"externalParameters", "internalParameters"} <= definition.keys()  # noqa: S101 - told below
        assert names  # noqa: S101 - likewise
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise ProvenanceError(
            f"{found.packed.label} has no statement of how it was made that can be read.",
            next_step="Build it again.",
            details=repr(error),
        ) from error
    return dict(definition)


def _write(files: Files, folder: Path, root: str, archive: Path | None) -> None:
    try:
        with full_disk_told(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            write_folder(files, folder)
            if archive:
                write_archive(folder, root, archive)
    except FileExistsError as error:
        raise UsageError(f"{folder} is there already.", next_step="Name another folder with --to.") from error
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {error.strerror}.", next_step="Name another folder with --to."
        ) from error


def _sha256(content: bytes | Path) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else sha256_file(content)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
