"""Digests of files, remembered by what `stat` says, so that half a gigabyte is not read again to learn nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from bertbuild.checkpoint.regular import irregular
from bertbuild.errors import UsageError
from bertbuild.files.disk import write_atomically
from bertbuild.json_text import parse_json

Stamp = tuple[int, ...]

CHUNK = 1 << 22
PIECE = 1 << 25
SETTLED_NS = 50_000_000
"""A file changed less than 50 ms before it was read may change again within the clock's step: not remembered."""


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(file)


def _sha256(file: object) -> str:  # Python 3.10 has no hashlib.file_digest
    state = hashlib.sha256()
    buffer = bytearray(CHUNK)
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        state.update(memoryview(buffer)[:count])
    return state.hexdigest()


def tree_digest(path: Path) -> str:
    """sha256, in hex, over the sha256 of a file's 32 MiB pieces in order: all cores hash one file."""
    from concurrent.futures import ThreadPoolExecutor

    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        with ThreadPoolExecutor() as pool:
            pieces = pool.map(lambda start: _piece(file.fileno(), start), range(0, size, PIECE))
            return hashlib.sha256(b"".join(pieces)).hexdigest()


def _piece(file: int, start: int) -> bytes:
    state = hashlib.sha256()
    for offset in range(start, start + PIECE, CHUNK):
        state.update(os.pread(file, CHUNK, offset))
    return state.digest()


class DigestCache:
    """sha256 of files by path, valid as long as size, mtime, ctime and inode stay the same.

    Kept in one JSON file. Two processes may overwrite each other's entries: what is lost is a saving, never a truth.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, list[int | str]] = {}
        self._changed = False
        with contextlib.suppress(OSError, ValueError):  # no cache, or a broken one: the files are read again
            entries = parse_json(path.read_text(encoding="utf-8"))
            if isinstance(entries, dict):
                self._entries = {name: entry for name, entry in entries.items() if isinstance(entry, list) and entry}

    def of(self, path: Path) -> str:
        """Digest of the file, in hex; read only when `stat` says that it changed.

        Raises UsageError for what is not a regular file, and OSError.
        """
        stat = path.stat()
        known = self.known(str(path), stat)
        if known is not None:
            return known
        _require_regular(path)
        value = self._hash(path)
        if stamp_of(path.stat()) == stamp_of(stat):
            self.note(str(path), stat, value)
        return value

    def known(self, path: str, stat: os.stat_result) -> str | None:
        """Digest of the file, in hex, where it is known without reading it; `stat`: what the system says of it now."""
        entry = self._entries.get(path)
        return str(entry[-1]) if entry is not None and tuple(entry[:-1]) == stamp_of(stat) else None

    def knows(self, path: Path) -> bool:
        """Whether the file's digest is known without reading it."""
        return self.known(str(path), path.stat()) is not None

    def _hash(self, path: Path) -> str:
        return sha256_file(path)

    def remember(self, path: Path, value: str) -> None:
        """Note a digest that was just computed from the file's bytes."""
        self._entries[str(path)] = [*stamp_of(path.stat()), value]
        self._changed = True

    def note(self, path: str, stat: os.stat_result, value: str) -> None:
        """Note what is right as long as `stat` is; of a file that was written just now nothing is."""
        if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > SETTLED_NS:
            self._entries[path] = [*stamp_of(stat), value]
            self._changed = True

    def forget(self, paths: Iterable[Path]) -> None:
        """Drop what is known of these files, so that they are read again."""
        for path in paths:
            self._changed |= self._entries.pop(str(path), None) is not None

    def save(self) -> None:
        """Write what was learnt; entries of files that are gone are dropped. A cache that cannot be written is none."""
        if not self._changed:
            return
        kept = {path: entry for path, entry in self._entries.items() if os.path.lexists(path)}
        with contextlib.suppress(OSError):
            write_atomically(self._path, json.dumps(kept))
            self._changed = False


class TreeDigestCache(DigestCache):
    """Digests of inputs, which nobody compares with a published sha256: the quicker `tree_digest` serves."""

    def _hash(self, path: Path) -> str:
        return tree_digest(path)


def _require_regular(path: Path) -> None:
    odd = irregular(path)
    if odd is not None:
        raise UsageError(f"{path} {odd}.", next_step="Name a regular file, or a link to one.")


def stamp_of(stat: os.stat_result) -> Stamp:
    """What tells that a file was changed: size, times and inode."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
