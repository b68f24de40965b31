"""Writing to a disk that may be full, and that other processes write to as well."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from bertbuild.errors import BertbuildError, NoSpaceError

FULL = (errno.ENOSPC, errno.EDQUOT)


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
    """Tell a full disk from other failures of a program we ran, by what it said last.

    Raises:
        NoSpaceError: the disk was full.
    """
    if any(os.strerror(number) in error.details for number in FULL):
        raise no_space(place, error.details) from error


def write_atomically(path: Path, text: str) -> None:
    """Make `text` the content of a small file in one step; several threads and processes may do so at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
