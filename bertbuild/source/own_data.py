"""Data of the user's own: which files of a folder they are, and what they are called."""

from __future__ import annotations

from pathlib import Path

from bertbuild.errors import UsageError
from bertbuild.files.digests import DigestCache
from bertbuild.names import clean_name
from bertbuild.plans.plan import File
from bertbuild.source.inputs import file_input, folder_input

STEMS = ("train", "dev", "valid", "validation", "eval", "test")
ENDINGS = (".tsv", ".csv", ".jsonl", ".conll", ".txt")
"""What the files of own data are called (docker/data/stages/_own_tables.py reads them)."""


def own_name(path: Path) -> str:
    """What own data are called: own-, and the name of their folder or file."""
    real = path.resolve()
    return "own-" + clean_name(real.stem if real.is_file() else real.name)


def own_data(path: Path, digests: DigestCache) -> File:
    """A file of own data, or a folder as far as it holds any.

    Raises:
        UsageError: the folder holds none.
    """
    if path.is_file():
        return file_input(path, digests)
    names = {f"{stem}{ending}" for stem in STEMS for ending in ENDINGS}
    found = [file.name for file in path.iterdir() if file.is_file() and file.name.lower() in names]
    if not found:
        raise UsageError(
            f"{path} holds no own data.",
            next_step=f"Name its files train, dev, test with one of the endings {', '.join(ENDINGS)}.",
        )
    return folder_input(path, found, digests)
