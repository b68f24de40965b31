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
    files = tuple(sorted(names))
    found = {name: digests.of((folder / name).resolve()) for name in files}
    return File(path=folder.resolve(), digest=keys.digest(found), files=files)


def as_it_is_now(file: File, digests: DigestCache) -> File | None:
    """The same input with the digest of what lies there today; None where a file of it is gone."""
    try:
        if file.files:
            return folder_input(file.path, file.files, digests)
        return file_input(file.path, digests) if file.path.is_file() else None
    except FileNotFoundError:
        return None
