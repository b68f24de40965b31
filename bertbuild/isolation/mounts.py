"""What a container is given of the host: inputs at paths of their own, folders that it may write, an owner for them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bertbuild.errors import UsageError

NOBODY = 65534
"""Stages never run as root; where root calls, they run as this uid and gid."""


def mounts(flag: str, path: Path) -> Iterator[tuple[Path, str]]:
    """What to mount where so that the stage finds the input at /in/<flag>.

    A folder with links that lead out of it (a snapshot in a Hugging Face cache is all such links) is mounted entry by
    entry, since what they lead to is not in the container.

    Raises:
        UsageError: a path that cannot be mounted: it is gone, or has a colon in it.
    """
    real = path.resolve()
    if not real.exists() or ":" in str(real):
        raise UsageError(
            f"Input --{flag}={path} cannot be given to a container: "
            + ("its path has a colon in it." if real.exists() else "there is nothing."),
            next_step="Give a path that exists and has no colon.",
        )
    entries = list(real.iterdir()) if real.is_dir() else []
    if all(entry.resolve().is_relative_to(real) for entry in entries):
        yield real, f"/in/{flag}"
    else:
        for entry in entries:
            yield entry.resolve(), f"/in/{flag}/{entry.name}"


@contextlib.contextmanager
def owner(*folders: Path | None) -> Iterator[tuple[int, int]]:
    """The uid and gid a stage runs as: the caller's; where that is root, nobody's, who owns the folders meanwhile."""
    uid, gid = os.getuid(), os.getgid()
    if uid != 0:
        yield uid, gid
        return
    owned = [folder for folder in folders if folder is not None]
    for folder in owned:
        _give(folder, NOBODY, NOBODY)
    try:
        yield NOBODY, NOBODY
    finally:
        for folder in owned:
            _give(folder, uid, gid)


def _give(folder: Path, uid: int, gid: int) -> None:
    os.chown(folder, uid, gid)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), uid, gid, follow_symlinks=False)
