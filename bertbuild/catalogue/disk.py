"""Room on the disk: asked for before writing, and a clear error when it runs out."""

from __future__ import annotations

import shutil
from pathlib import Path

from bertbuild.errors import NoSpaceError
from bertbuild.files.disk import FULL


def require_space(folder: Path, needed: int, *, what: str) -> None:
    """Raise NoSpaceError unless the disk of `folder` has `needed` bytes left for `what`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise NoSpaceError(
            f"{what} needs {megabytes(needed)} in {folder}, where {megabytes(free)} are left.",
            next_step="Free some space, or move the downloads to another disk, and run the same command again.",
        )


def no_space(error: OSError, *, what: str) -> NoSpaceError | None:
    """The error to raise if `error` says that the disk (or the user's share of it) is full, else None."""
    if error.errno not in FULL:
        return None
    return NoSpaceError(
        f"The disk became full while writing {what}.",
        next_step="Free some space and run the same command again; what has arrived so far is kept.",
        details=str(error),
    )


def megabytes(count: int) -> str:
    """`count` bytes for people: decimal megabytes."""
    return f"{count / 1e6:,.1f} MB"
