"""Files and folders as inputs of a plan: what a stage reads of them, and the digest of just that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bertbuild import keys
from bertbuild.files.digests import DigestCache, Stamp, stamp_of
from bertbuild.plans.plan import File


def file_input(path: Path, digests: DigestCache) -> File:
    """A file; a link to it counts as the file itself."""
    real = path.resolve()
    stamp = stamp_of(real.stat())
    return File(path=real, digest=digests.of(real), stamps=((real, stamp),))


def folder_input(folder: Path, names: Iterable[str], digests: DigestCache) -> File:
    """A folder of which a stage reads the named files (paths below it): their names and bytes."""
    real, files = folder.resolve(), tuple(sorted(names))
    paths = {name: _real(real, name) for name in files}
    stamps = tuple((path, stamp_of(path.stat())) for path in paths.values())
    found = {name: digests.of(path) for name, path in paths.items()}
    return File(path=real, digest=keys.digest(found), files=files, stamps=stamps)


def _real(folder: Path, name: str) -> Path:
    """A file in a real folder, links followed; `resolve` looks at every part of the path for every file again."""
    path = folder / name
    return path.resolve() if "/" in name or path.is_symlink() else path


def as_it_is_now(file: File, digests: DigestCache) -> File | None:
    """The same input with the digest of what lies there today; None where a file of it is gone."""
    try:
        if file.files:
            return folder_input(file.path, file.files, digests)
        return file_input(file.path, digests) if file.path.is_file() else None
    except FileNotFoundError:
        return None


def changed_since(file: File, digests: DigestCache) -> Path | None:
    """The file of an input that was changed after its digest was taken, or is gone; None where the bytes are the same.

    What the system says of a file is asked first; it is read again only where that is other than it was.
    """
    touched = [path for path, stamp in file.stamps if _stamp_now(path) != stamp]
    if not touched:
        return None
    now = as_it_is_now(file, digests)
    return None if now is not None and now.digest == file.digest else touched[0]


def _stamp_now(path: Path) -> Stamp | None:
    try:
        return stamp_of(path.stat())
    except OSError:
        return None
