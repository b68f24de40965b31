"""The folder of a model or data set: its files hashed, judged, and remembered in fetched.json."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from bertbuild.catalogue.lockfile import LockEntry, check_or_record, read_lock
from bertbuild.catalogue.models import ExpectedFile, load_models
from bertbuild.errors import ArchiveError, IntegrityError
from bertbuild.files.digests import sha256_file
from bertbuild.json_text import parse_json

RECORD = "fetched.json"
_FORMAT = 1
_LFS_POINTER = b"version https://git-lfs"


class Entry(Protocol):
    """A model or a data set, as far as its folder goes."""

    @property
    def name(self) -> str:
        """What its folder is called."""

    @property
    def kind(self) -> str:
        """What its record says it is."""

    @property
    def url(self) -> str:
        """Where it is published."""

    @property
    def files(self) -> tuple[ExpectedFile, ...]:
        """What its folder holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file as it is on disk; `name` has forward slashes."""

    name: str
    bytes: int
    sha256: str


def hash_files(folder: Path, entry: Entry) -> tuple[FileRecord, ...]:
    """The files of `entry` found in `folder`, hashed. Raises ArchiveError if one that is needed is missing."""
    records = []
    for expected in entry.files:
        path = folder / expected.name
        if path.is_file():
            records.append(FileRecord(name=expected.name, bytes=path.stat().st_size, sha256=sha256_file(path)))
        elif not expected.optional:
            raise ArchiveError(
                f"What was downloaded for {entry.name} does not contain {expected.name}.",
                next_step="Check that it is what this name stands for, complete and with its original file names.",
                details="It has: " + (", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"),
            )
    return tuple(records)


def judge(folder: Path, entry: Entry, files: Sequence[FileRecord], lock: Path) -> tuple[str, ...]:
    """Hold `files` against the catalogue and the lock file; the names newly recorded in the latter.

    Raises IntegrityError for the first file that is not the published, or the recorded, one.
    """
    on_record = {expected.name: expected for expected in entry.files}
    for file in files:
        expected = on_record[file.name]
        wrong_size = expected.bytes not in (None, file.bytes)
        if wrong_size or expected.sha256 not in (None, file.sha256):
            refuse_lfs_pointer(folder / file.name)
            raise IntegrityError(
                f"{entry.name}/{file.name} is not the file on record: expected sha256 {expected.sha256 or 'unknown'} "
                f"({_count(expected.bytes)} bytes), got {file.sha256} ({_count(file.bytes)} bytes).",
                next_step="Fetch it again, from elsewhere if this repeats (--mirror, --from).",
                details=f"On record from: {expected.source}",
            )
        if expected.sha256 is None:
            refuse_lfs_pointer(folder / file.name)
            _refuse_other_model(entry, file)
    return check_or_record(lock, _unpublished(entry, files))


def _unpublished(entry: Entry, files: Sequence[FileRecord]) -> dict[str, LockEntry]:
    published = {expected.name for expected in entry.files if expected.sha256 is not None}
    return {
        f"{entry.name}/{file.name}": LockEntry(bytes=file.bytes, sha256=file.sha256, url=entry.url)
        for file in files
        if file.name not in published
    }


def refuse_lfs_pointer(path: Path) -> None:
    """Raise IntegrityError if the file is a Git LFS pointer."""
    with path.open("rb") as stream:
        if stream.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise IntegrityError(
                f"{path.name} is a Git LFS pointer, not the file itself.",
                next_step="Run `git lfs pull` in the repository it came from.",
            )


def _refuse_other_model(entry: Entry, file: FileRecord) -> None:
    """Weights known to be another model's must not be recorded as this one's: two models share a zip name."""
    for other in load_models().values():
        theirs = {(expected.name, expected.sha256) for expected in other.files if expected.name != "vocab.txt"}
        if other.name != entry.name and (file.name, file.sha256) in theirs:
            raise IntegrityError(
                f"{file.name} belongs to {other.name}, not to {entry.name}.",
                next_step=f"Ask for {other.name}, or get the zip from {entry.url}.",
            )


def remember(folder: Path, entry: Entry, files: Sequence[FileRecord]) -> None:
    """Write fetched.json. Besides the files it has their times, by which a later look is quick. Raises OSError."""
    times = {file.name: (folder / file.name).stat().st_mtime_ns for file in files}
    content = {
        "format": _FORMAT,
        "name": entry.name,
        "kind": entry.kind,
        "url": entry.url,
        "files": [asdict(file) | {"mtime_ns": times[file.name]} for file in files],
    }
    work = folder / f".{RECORD}.{os.getpid()}"
    work.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    work.chmod(0o444)
    work.replace(folder / RECORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a folder found: its files, or what is wrong with it (both empty: nothing was fetched yet)."""

    files: tuple[FileRecord, ...] = ()
    damage: tuple[str, ...] = ()


def look(folder: Path, entry: Entry, lock: Path) -> Look:
    """Whether `folder` holds `entry` intact, by size and time; a file whose time changed is hashed. No network."""
    if not folder.exists():
        return Look()
    try:
        content = parse_json((folder / RECORD).read_text(encoding="utf-8"))
        times = {row["name"]: row.pop("mtime_ns") for row in content["files"]}
        files = tuple(FileRecord(**row) for row in content["files"])
    except (OSError, ValueError, TypeError, KeyError):
        return Look(damage=(f"{RECORD} is missing or unreadable",))
    changed = [file for file in files if _changed(folder / file.name, file, times[file.name])]
    damage = [f"{file.name} {_fault(folder / file.name, file)}" for file in changed if _fault(folder / file.name, file)]
    damage += _outdated(entry, files, lock)
    if damage:
        return Look(damage=tuple(damage))
    if changed:
        # Same bytes, new times (a copy, a restore): noted, so that the next look is quick again. A folder that cannot
        # be written to is merely slower.
        with contextlib.suppress(OSError):
            remember(folder, entry, files)
    return Look(files=files)


def _outdated(entry: Entry, files: Sequence[FileRecord], lock: Path) -> list[str]:
    """Files that were right when they came, but are not what the catalogue or the lock file says today."""
    have = {file.name: file for file in files}
    known = read_lock(lock)
    stale = [f"{name} is no longer part of it" for name in sorted(have.keys() - {e.name for e in entry.files})]
    for expected in entry.files:
        recorded = known.get(f"{entry.name}/{expected.name}")
        wanted = expected.sha256 or (recorded.sha256 if recorded else None)
        if expected.name not in have:
            stale += [] if expected.optional else [f"{expected.name} was never fetched"]
        elif wanted not in (None, have[expected.name].sha256):
            stale.append(f"{expected.name} is not the one on record now")
    return stale


def _changed(path: Path, file: FileRecord, mtime_ns: int) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return True
    return not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns) != (file.bytes, mtime_ns)


def _fault(path: Path, file: FileRecord) -> str:
    """What is wrong with a file that does not look as it was left; "" if its bytes are the same."""
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != file.bytes:
        return f"has {size:,} bytes, not {file.bytes:,}"
    return "" if sha256_file(path) == file.sha256 else "was changed"


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
