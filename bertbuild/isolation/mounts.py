"""What a container is given of the host: inputs at paths of their own, folders that it may write, an owner for them."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
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


def let_read(sources: Iterable[Path], store: Path | None) -> None:
    """Make sure that who a stage runs as may read what it is given, where that is not the caller but `NOBODY`.

    What lies in the store is ours, and is made readable, whatever the umask was: nobody gets to it who may not enter
    the store. What lies elsewhere is the user's, and stays as it is.

    Raises:
        UsageError: a file or folder of the user's own may not be read.
    """
    if os.getuid() != 0:
        return
    for source in sources:
        for path in (source, *_below(source)):
            status = path.stat()
            if _nobody_reads(status):
                continue
            if store is None or not path.resolve().is_relative_to(store.resolve()):
                raise UsageError(
                    f"{path} may not be read by uid {NOBODY}, which stages run as where root calls.",
                    next_step=f"Let others read it (chmod -R a+rX {source}), or build with --isolation venv.",
                )
            path.chmod(stat.S_IMODE(status.st_mode) | (0o555 if stat.S_ISDIR(status.st_mode) else 0o444))


def _below(source: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(source):
        yield from (Path(parent, name) for name in (*folders, *files) if Path(parent, name).exists())


def _nobody_reads(status: os.stat_result) -> bool:
    mode = stat.S_IMODE(status.st_mode)
    of_them = mode >> 6 if status.st_uid == NOBODY else mode >> 3 if status.st_gid == NOBODY else mode
    needed = 0o5 if stat.S_ISDIR(status.st_mode) else 0o4
    return of_them & needed == needed


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
