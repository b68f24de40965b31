"""models.lock.json: what the first download of a file looked like, when nobody published its hash.

The file is meant to be committed: it holds no dates and no local paths, and its order is stable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bertbuild.errors import IntegrityError, LockFileError
from bertbuild.files.locking import exclusive
from bertbuild.json_text import parse_json

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEntry:
    """One file as it was first seen; `url` is where its archive is published."""

    bytes: int
    sha256: str
    url: str


def read_lock(path: Path) -> dict[str, LockEntry]:
    """The entries by name (`MODEL/FILE`); none if there is no file yet. Raises LockFileError if it makes no sense."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            raise LockFileError(
                f"{path} has version {content['version']!r}; this bertbuild reads version {_VERSION}.",
                next_step="Update bertbuild, or remove the file to record every download again.",
            )
        return {name: LockEntry(**entry) for name, entry in content["files"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LockFileError(
            f"{path} cannot be read.",
            next_step="Restore it from version control, or remove it to record every download again.",
            details=str(error),
        ) from error


def check_or_record(path: Path, found: Mapping[str, LockEntry]) -> tuple[str, ...]:
    """Compare files with their entries, record those that have none, and return the names newly recorded.

    Raises IntegrityError at the first file that is not the one recorded (nothing is recorded then), and LockFileError.
    """
    if not found:
        return ()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The folder is locked and not the file, which is replaced at every change.
        with exclusive(path.parent):
            known = read_lock(path)
            for name, entry in sorted(found.items()):
                if name in known and (known[name].sha256, known[name].bytes) != (entry.sha256, entry.bytes):
                    raise _differs(path, name, known[name], entry)
            new = {name: entry for name, entry in found.items() if name not in known}
            if new:
                _replace(path, known | new)
    except OSError as error:
        raise LockFileError(
            f"{path} cannot be written.", next_step="Check the permissions of its folder.", details=str(error)
        ) from error
    return tuple(sorted(new))


def _replace(path: Path, entries: Mapping[str, LockEntry]) -> None:
    content = {"version": _VERSION, "files": {name: asdict(entry) for name, entry in entries.items()}}
    work = path.with_name(f".{path.name}.new")  # nobody else writes it now
    with work.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=2, sort_keys=True) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    work.replace(path)


def _differs(path: Path, name: str, known: LockEntry, got: LockEntry) -> IntegrityError:
    return IntegrityError(
        f"{name} is not the file recorded in {path.name}: expected sha256 {known.sha256} ({known.bytes:,} bytes), "
        f"got {got.sha256} ({got.bytes:,} bytes).",
        next_step=f'If you trust the new file, remove the entry "{name}" from {path} and run the same command again.',
    )
