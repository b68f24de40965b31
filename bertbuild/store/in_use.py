"""Who works with what in a store: what a living process has used, nobody takes away.

Each thing (a result, a record, a download) is one byte of a lock file, at a place made of its name: a process that
uses it shares the lock of that byte until it ends, and whoever wants to remove it must have the byte alone. A file
per thing would be thousands of open files; one file for all, a list in the kernel that is walked from end to end for
each of thousands, so there are a few. Open file description locks: the kernel forgets a dead process's, and two stores
in one process count as two.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import struct
import weakref
from collections.abc import Iterator
from pathlib import Path

_FLOCK = "hhqqi"
"""The kernel's struct flock: type, whence, start, length, process (0)."""

_FILES = "0123456789abcdef"


class Uses:
    """What this process uses, and what it may remove. Names are any strings.

    A file system without such locks, or a folder that cannot be used, protects nothing and lets nothing be claimed.

    Args:
        folder: where the lock files are; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._used: set[str] = set()
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
        self._handles = {name: _opened(folder / name) for name in _FILES}
        for handle in self._handles.values():
            if handle is not None:
                weakref.finalize(self, os.close, handle)

    @property
    def names(self) -> frozenset[str]:
        """What this process uses."""
        return frozenset(self._used)

    def add(self, name: str) -> None:
        """Use a thing until the process ends; waits while somebody who claimed it removes it."""
        if name not in self._used:
            with contextlib.suppress(OSError):
                self._lock(fcntl.F_OFD_SETLKW, fcntl.F_RDLCK, name)
                self._used.add(name)

    def elsewhere(self, name: str) -> bool:
        """Whether another process uses a thing."""
        try:
            answer = self._lock(fcntl.F_OFD_GETLK, fcntl.F_WRLCK, name)
        except OSError:
            return False
        return bool(struct.unpack_from(_FLOCK, answer)[0] != fcntl.F_UNLCK)

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[bool]:
        """Keep everybody from using a thing, unless somebody does; gives whether nobody does."""
        try:
            self._lock(fcntl.F_OFD_SETLK, fcntl.F_WRLCK, name)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, name)
            self._used.discard(name)

    def _lock(self, command: int, kind: int, name: str) -> bytes:
        place = hashlib.sha256(name.encode()).hexdigest()
        handle = self._handles[place[0]]
        if handle is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return fcntl.fcntl(handle, command, struct.pack(_FLOCK, kind, os.SEEK_SET, int(place[1:16], 16), 1, 0))


def _opened(path: Path) -> int | None:
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # a read-only store can be used, not tidied
        with contextlib.suppress(OSError):
            return os.open(path, flags, 0o666)
    return None
