"""Writing to a disk that may be full, and that other processes write to as well."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bertbuild.errors import BertbuildError, NoSpaceError
from bertbuild.files.locking import exclusive
from bertbuild.json_text import parse_json

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
    temporary = path.with_name(f".{path.name}.new")
    with exclusive(temporary):
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def read_json(path: Path | str) -> Any:
    """What a small file says, in UTF-8. A build with nothing to do reads a thousand; `Path.read_text` takes twice as
    long.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a path that is no `Path` is opened at once
        return parse_json(file.read().decode())


def mark_used(path: Path | str) -> None:
    """Let the time of a folder or file say that it was used just now: at most once an hour, and only where we may."""
    with contextlib.suppress(OSError):
        if abs(time.time() - os.lstat(path).st_mtime) >= HOUR:
            os.utime(path, follow_symlinks=False)
