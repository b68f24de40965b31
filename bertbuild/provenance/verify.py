"""Whether a result is what the statement beside it says, and whether what it was made from is known as well."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.backends import BACKENDS, lock_file, lock_name
from bertbuild.errors import StoreError
from bertbuild.files.digests import sha256_file
from bertbuild.files.listing import files_below, links
from bertbuild.json_text import parse_json
from bertbuild.plural import are, number_of
from bertbuild.provenance.made import Made
from bertbuild.provenance.sbom import FOLDER, sbom_name, sbom_of_today
from bertbuild.provenance.shape import problems
from bertbuild.provenance.statement import BUILD_TYPE, PACKAGE_TYPE
from bertbuild.stages import FACTS, MANIFEST, PROVENANCE
from bertbuild.store.store import Store, StoredObject, content_digest

OWN = (MANIFEST, PROVENANCE)
"""What lies beside the subjects."""

_FIELDS = {"stage", "key", "components", "isolation", "files", "digest"}
"""What a manifest has (`Store.publish`)."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What came out of looking at one result.

    Attributes:
        path: its folder.
        checked: what was found as it should be.
        told: what could not be looked at, or is not a failure and good to know.
        wrong: what differs: the file, and how.
    """

    path: Path
    checked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"path": str(self.path), "checked": self.checked, "told": self.told, "wrong": self.wrong}


def verify(path: Path, store: Store | None) -> Findings:
    """Look at the result in a folder, reading every byte, and at what it was made from as far as the store has it.

    Args:
        path: an object of a store, or a copy of one.
        store: where to look for what it was made from; None where there is none.
    """
    findings = Findings(path=path)
    made = _read(path, findings, types=(BUILD_TYPE,) if _in_store(path, store) else (BUILD_TYPE, PACKAGE_TYPE))
    if made is None:
        return findings
    _check_files(path, made, findings)
    if made.packed is not None:
        _check_package(path, made, made.packed, store, findings)
        return findings
    _check_links(path, made, store, findings)
    _check_key(made, findings)
    _check_manifest(path, made, findings)
    _check_namesake(path, made, store, findings)
    _check_materials(made, store, findings)
    _follow(made, store, findings)
    return findings


def _in_store(path: Path, store: Store | None) -> bool:
    return store is not None and path.parent.parent.resolve() == store.objects.resolve()


def _read(path: Path, findings: Findings, label: str = "", types: tuple[str, ...] = (BUILD_TYPE,)) -> Made | None:
    """The statement in a folder, None where it is none of ours, or not of these buildTypes."""
    file = f"{label}{PROVENANCE}"
    try:
        statement = parse_json((path / PROVENANCE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        findings.wrong.append(f"{file} is missing: it was made before there were statements, or lost since")
        return None
    except (OSError, ValueError) as error:
        findings.wrong.append(f"{file} cannot be read: {error}")
        return None
    found = problems(statement)
    if not found and (kind := statement["predicate"]["buildDefinition"]["buildType"]) not in types:
        found = [f"predicate.buildDefinition.buildType: is {kind!r}, not {' or '.join(map(repr, types))}"]
    try:
        made = None if found else Made(statement)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        found, made = [f"lacks what a statement of bertbuild has: {error!r}"], None
    findings.wrong.extend(f"{file}: {problem}" for problem in found)
    return made


def _check_package(
    path: Path, made: Made, packed: tuple[str, str, str], store: Store | None, findings: Findings
) -> None:
    """What a package was made of: the target's key, its lock file and bill of materials, and its result in the store.

    The statements of what the target was made of are followed from there; a package does not name them.
    """
    findings.wrong.extend(f"{name} is a link, and a package has none" for name in links(files_below(str(path))))
    findings.told.append("nothing but a signature can answer for the statement of a package")
    _check_key(made, findings)
    _check_materials(made, store, findings)
    stage, key, digest = packed
    if (stage, key) != (made.stage, made.key):
        findings.wrong.append(f"{PROVENANCE}: names the target {stage} {key[:12]}, made as {made.label} is")
        return
    place = store.objects / made.stage / made.key if store is not None else None
    if store is None or place is None or not os.path.exists(place):  # noqa: PTH110 - as above
        findings.told.append(f"its target, {made.label}, is not in the store: not followed further")
        return
    try:
        stored = store.peek(place)
    except StoreError as error:
        findings.told.append(f"{made.label} in the store is not compared: {str(error).rstrip('.')}")
        return
    if stored.digest != digest:
        findings.wrong.append(
            f"the {made.label} in the store has the content {stored.digest[:12]}, "
            f"and the one that was packed {digest[:12]}"
        )
        return
    findings.checked.append(f"the {made.label} in the store has the content that was packed")
    theirs = {entry["sha256"] for entry in stored.manifest["files"].values()}
    same = sum(sha256 in theirs for sha256 in made.files.values())
    findings.checked.append(
        f"{same} of the package's {number_of(len(made.files), 'file')} are the target's, byte for byte"
    )
    _follow_into(stored, made.label, store, findings, {stored.key})


def _check_files(path: Path, made: Made, findings: Findings) -> None:
    """Every subject, byte by byte; nothing else may lie there."""
    before = len(findings.wrong)
    for name, expected in made.files.items():
        if not os.path.isfile(path / name):  # noqa: PTH113 - a name too long for a file is none, and no error
            findings.wrong.append(f"{name} is missing")
        elif (actual := _sha256(path / name)) != expected:
            findings.wrong.append(f"{name} changed: its sha256 is {actual}, the statement says {expected}")
    own = OWN if made.packed is None else (PROVENANCE,)
    present = files_below(str(path)).keys() - made.files.keys() - set(own)
    findings.wrong.extend(f"{name} is not in the statement" for name in sorted(present))
    if len(findings.wrong) == before:
        findings.checked.append(
            f"{number_of(len(made.files), 'file')} {are(len(made.files), 'has', 'have')} the sha256 of "
            f"the statement, and no other file is there"
        )


def _check_links(path: Path, made: Made, store: Store | None, findings: Findings) -> None:
    """A link is a failure in a store, which makes none, and where it leads to a folder; of a copied file it is told."""
    in_store = _in_store(path, store)
    if in_store and path.is_symlink():
        findings.wrong.append(f"{path} is a link, and the store makes none")
    if in_store and path.name != made.key:
        findings.wrong.append(f"{PROVENANCE}: its key {made.key} is not the name of the folder")
    for name in links(files_below(str(path))):
        if (path / name).is_dir():
            findings.wrong.append(f"{name} is a link to a folder: what lies there is not part of the result")
        elif in_store:
            findings.wrong.append(f"{name} is a link, and the store makes none")
        else:
            findings.told.append(f"{name} is a link: what it leads to may change without this folder")


def _check_namesake(path: Path, made: Made, store: Store | None, findings: Findings) -> None:
    """The store's result of the same key has the same content: else files, manifest and statement changed together."""
    place = store.objects / made.stage / made.key if store is not None else None
    if store is None or place is None or not os.path.exists(place) or os.path.samefile(place, path):  # noqa: PTH110, PTH121
        return
    try:
        stored = store.peek(place)
    except StoreError as error:
        findings.told.append(f"{made.label} in the store is not compared: {str(error).rstrip('.')}")
        return
    actual = content_digest(made.entries)
    if stored.digest != actual:
        findings.wrong.append(
            f"the {made.label} in the store has the content {stored.digest[:12]}, and this one {actual[:12]}"
        )
    else:
        findings.checked.append(f"the {made.label} in the store has the same content")


def _check_key(made: Made, findings: Findings, label: str = "") -> None:
    try:
        actual = keys.digest(made.components)
    except (TypeError, ValueError, RecursionError) as error:
        actual = str(error)
    if actual != made.key:
        findings.wrong.append(
            f"{label}{PROVENANCE}: its key {made.key} is not the digest of what it says it was made of ({actual})"
        )
    elif not label:
        findings.checked.append(f"the key {made.key[:12]} is the digest of stage, code, environment, params and inputs")


def _check_manifest(path: Path, made: Made, findings: Findings) -> None:
    """The manifest answers for the statement, where it was copied along; the folder's name for both, in a store."""
    try:
        manifest = parse_json((path / MANIFEST).read_text(encoding="utf-8"))
        named = manifest["files"][PROVENANCE]["sha256"]
        same = (manifest["stage"], manifest["key"], manifest["components"]) == (made.stage, made.key, made.components)
    except FileNotFoundError:
        findings.told.append(f"there is no {MANIFEST} here, so nothing but a signature can answer for the statement")
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        findings.wrong.append(f"{MANIFEST} does not name {PROVENANCE}: {error!r}")
        return
    actual = _sha256(path / PROVENANCE)
    if named != actual:
        findings.wrong.append(f"{PROVENANCE} changed: its sha256 is {actual}, {MANIFEST} says {named}")
    elif not same:
        findings.wrong.append(f"{MANIFEST} has another stage, key or components than the statement")
    elif problem := _unlike(manifest, path, made):
        findings.wrong.append(f"{MANIFEST} {problem}")
    else:
        findings.checked.append(f"{MANIFEST} names this statement, its key and its components")


def _unlike(manifest: Mapping[str, Any], path: Path, made: Made) -> str:
    """What a manifest says otherwise than the statement, the folder and itself; "" where all fits."""
    entries = {**made.entries, PROVENANCE: {"sha256": _sha256(path / PROVENANCE)}}
    files = {name: {"bytes": _size(path / name), **entry} for name, entry in entries.items()}
    if manifest["files"] != files:
        return "has other files, sizes or sha256 than the statement and the folder"
    if manifest.get("digest") != content_digest(files):
        return "has a digest which is not that of its files"
    if manifest.get("isolation", made.isolation) != made.isolation:
        return f"names another place than the statement: {manifest['isolation']}"
    more = sorted(manifest.keys() - _FIELDS)
    return f"has more than a manifest has: {more[0]}" if more else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _check_materials(made: Made, store: Store | None, findings: Findings, label: str = "") -> None:
    """The lock file and the SBOM of the backend that made it."""
    for backend in BACKENDS:
        name = lock_name(backend)
        named = made.sha256.get(name)
        if named is None:
            continue
        if made.environment.get("lock", named) != named:
            findings.wrong.append(f"{label}{PROVENANCE}: {name} is not the lock file that the key knows")
        elif named == hashlib.sha256(lock_file(backend).read_bytes()).hexdigest():
            _once(findings.checked, f"{name} is the lock file of today")
        else:
            _once(findings.told, f"made with another lock file than today's {name}: {named[:12]}")
        for sbom in (name for name in made.sha256 if name.startswith(f"{FOLDER}/{backend}-")):
            _check_sbom(backend, sbom, made.sha256[sbom], store, findings)


def _check_sbom(backend: str, name: str, named: str, store: Store | None, findings: Findings) -> None:
    path = store.root / name if store else None
    if path is not None and path.is_file():
        if (actual := _sha256(path)) == named:
            _once(findings.checked, f"{name} has the sha256 of the statement")
        else:
            _once(findings.wrong, f"{name} changed: its sha256 is {actual}, the statement says {named}")
    elif name == f"{FOLDER}/{sbom_name(backend)}" and hashlib.sha256(sbom_of_today(backend)).hexdigest() == named:
        _once(findings.checked, f"{name}, made again from today's lock file, has the sha256 of the statement")
    else:
        _once(findings.told, f"{name} is not here to be compared")


def _follow(made: Made, store: Store | None, findings: Findings, seen: set[str] | None = None) -> None:
    """What it was made from, and what that was made from."""
    seen = set() if seen is None else seen
    for name, entry in made.inputs.items():
        facts = entry.get("annotations") or {}
        if not facts:
            files = len(made.files_of(name))
            findings.checked.append(f"{made.label}: {name} was given: {number_of(files, 'file')} by sha256")
            continue
        label = f"{facts.get('stage')} {str(facts.get('key'))[:12]}"
        _check_listed(made, name, findings)
        path = store.objects / str(facts.get("stage")) / str(facts.get("key")) if store else None
        if store is None or path is None or not os.path.exists(path):  # noqa: PTH110 - as above
            _once(findings.told, f"{made.label}: {name} is {label}, which is not in the store: not followed further")
            continue
        try:
            stored = store.peek(path)
        except StoreError as error:
            findings.wrong.append(f"{made.label}: {name}: {str(error).rstrip('.')}")
            continue
        if _is_named(made, name, stored, label, findings) and stored.key not in seen:
            seen.add(stored.key)
            _follow_into(stored, label, store, findings, seen)


def _follow_into(stored: StoredObject, label: str, store: Store, findings: Findings, seen: set[str]) -> None:
    source = _read(stored.path, findings, f"{label}: ")
    if source is None:
        return
    listed = {name: entry["sha256"] for name, entry in stored.manifest["files"].items() if name != PROVENANCE}
    if source.files != listed:
        findings.wrong.append(f"{label}: {PROVENANCE} has other files than its {MANIFEST}")
    _check_key(source, findings, f"{label}: ")
    _check_materials(source, store, findings, f"{label}: ")
    _follow(source, store, findings, seen)


def _check_listed(made: Made, name: str, findings: Findings) -> None:
    """The files that the statement lists of a result it was made from must give the digest that the key holds."""
    files = {path: value for path, value in made.files_of(name).items() if path not in (*OWN, FACTS)}
    computed = {path: made.inputs_made.get(f"{name}/{path}", value) for path, value in files.items()}
    if keys.digest({path: value for path, value in computed.items() if value}) != made.components["inputs"][name]:
        findings.wrong.append(f"{made.label}: {PROVENANCE}: the files listed of {name} do not give its digest")


def _is_named(made: Made, name: str, stored: StoredObject, label: str, findings: Findings) -> bool:
    """Whether what the store has is what was used, and has a statement that can be followed."""
    expected = made.components["inputs"][name]
    if stored.digest != expected:
        findings.wrong.append(
            f"{made.label}: {name}: the {label} in the store has the content {stored.digest[:12]}, "
            f"and the one it was made from {expected[:12]}"
        )
        return False
    actual = stored.manifest["files"].get(PROVENANCE, {}).get("sha256")
    if actual is None:
        _once(findings.told, f"{label} was made before there were statements: not followed further")
        return False
    if actual == made.files_of(name).get(PROVENANCE):
        findings.checked.append(f"{made.label}: {name} is {label}, under the statement that is named")
    else:
        findings.told.append(f"{made.label}: {name} is {label}, made again since: same content, another statement")
    return True


def _sha256(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        return f"unknown ({error.strerror})"


def _once(lines: list[str], line: str) -> None:
    if line not in lines:
        lines.append(line)
