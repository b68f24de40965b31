"""Data of the user's own: which files of a folder they are, and what they are called."""

from __future__ import annotations

from pathlib import Path

from bertbuild.errors import UsageError
from bertbuild.files.digests import DigestCache
from bertbuild.names import clean_name
from bertbuild.plans.plan import File
from bertbuild.store.inputs import file_input, folder_input

STEMS = ("train", "dev", "valid", "validation", "eval", "test")
ENDINGS = (".tsv", ".csv", ".jsonl", ".conll", ".txt")
"""What the files of own data are called (docker/data/stages/_own_tables.py reads them)."""
OF_QUESTIONS = (".json", ".jsonl")
"""How files of questions end."""


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
        named = f"Name its files train, dev, test with one of the endings {', '.join(ENDINGS)}"
        raise UsageError(f"{path} holds no own data.", next_step=f"{questions_in(path) or named}.")
    return folder_input(path, found, digests)


def questions_in(folder: Path) -> str:
    """What to do with a folder that has JSON files: questions as SQuAD has them are one file; "" where it has none."""
    files = [file for file in folder.iterdir() if file.is_file() and file.suffix.lower() in OF_QUESTIONS]
    first = min(files, key=lambda file: (not file.stem.startswith("train"), file.name), default=None)
    return f"Of questions as SQuAD has them give the file itself: --data {first}" if first else ""
