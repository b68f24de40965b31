"""Files and folders as inputs of a plan: what a stage reads of them, and the digest of just that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bertbuild import keys
from bertbuild.files.digests import DigestCache
from bertbuild.plans.plan import File


def file_input(path: Path, digests: DigestCache) -> File:
    """A file; a link to it counts as the file itself."""
    real = path.resolve()
    return File(path=real, digest=digests.of(real))


def folder_input(folder: Path, names: Iterable[str], digests: DigestCache) -> File:
    """A folder of which a stage reads the named files (paths below it): their names and bytes."""
    real, files = folder.resolve(), tuple(sorted(names))
    found = {name: digests.of(_real(real, name)) for name in files}
    return File(path=real, digest=keys.digest(found), files=files)


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
