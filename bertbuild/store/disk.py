"""Writing to a disk that may be full, and that other processes write to as well."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from bertbuild.errors import BertbuildError, NoSpaceError

HOUR = 3600
"""Seconds: how exactly it is known when something was used last."""

FULL = (errno.ENOSPC, errno.EDQUOT)
LITTLE = 1 << 16
"""Bytes: with fewer free a disk is full to a program that writes large files."""


def no_space(place: Path, details: str = "") -> NoSpaceError:
    """The error for a full disk, whoever met it."""
    return NoSpaceError(
        f"The disk that holds {place} is full.",
        next_step="Free some space, or move the store with BERTBUILD_ARTIFACTS (virtual environments with "
        "BERTBUILD_ENVIRONMENTS); what is already built stays built.",
        details=details,
    )


@contextlib.contextmanager
def full_disk_told(place: Path) -> Iterator[None]:
    """Turn the system's error about a full disk into ours, and leave all others as they are."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise no_space(place) from error
        raise


def raise_if_full(error: BertbuildError, place: Path) -> None:
    """Tell a full disk from other failures of a program we ran, by what it said last, or by how full the disk is now.

    Raises:
        NoSpaceError: the disk was full.
    """
    if any(os.strerror(number) in error.details for number in FULL) or is_full(place):
        raise no_space(place, error.details) from error


def is_full(place: Path) -> bool:
    """Whether nothing can be written any more, not even a log that would say so."""
    disk = os.statvfs(place)
    privileged = os.geteuid() == 0  # the last blocks of some file systems are kept for root
    blocks, nodes = (disk.f_bfree, disk.f_ffree) if privileged else (disk.f_bavail, disk.f_favail)
    return blocks * disk.f_frsize < LITTLE or (disk.f_files > 0 and nodes == 0)


def write_atomically(path: Path, text: str) -> None:
    """Make `text` the content of a small file in one step; several processes and threads may do so at once.

    They take turns at one temporary file, so that what a killed one leaves behind is taken over by the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with _taken(temporary) as handle:
        try:
            os.truncate(handle, 0)
            with os.fdopen(handle, "w", encoding="utf-8", closefd=False) as file:
                file.write(text)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _taken(temporary: Path) -> Iterator[int]:
    """Hold the lock of a temporary file, made if missing; gives its descriptor."""
    while True:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Whoever had it before us may have given it its final name, or removed it.
            if is_at(handle, temporary):
                yield handle
                return
        finally:
            os.close(handle)


def is_at(handle: int, path: Path) -> bool:
    """Whether an open file is still the one that others find at `path`, neither removed nor replaced."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def mark_used(path: Path) -> None:
    """Let the time of a folder or file say that it was used just now: at most once an hour, and only where we may."""
    with contextlib.suppress(OSError):
        if abs(time.time() - path.lstat().st_mtime) >= HOUR:
            os.utime(path, follow_symlinks=False)
