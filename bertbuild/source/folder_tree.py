"""A user's folder and those below it, listed within bounds: each real folder once, however links lead to it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MOST: Final = 100_000
"""Files and folders that are looked at."""
DEEPEST: Final = 16
"""Folders below each other that are looked at."""
SAVED_MODELS: Final = ("saved_model.pb", "saved_model.pbtxt")
NOT_OF_MODELS: Final = ("__MACOSX", "node_modules")
VIRTUAL_ENVIRONMENT: Final = "pyvenv.cfg"
STORE: Final = frozenset(("objects", "out", "locks"))
"""Folders that only artifacts of builds have beside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder, and the names of what lies in it, folders not counted."""

    path: Path
    names: tuple[str, ...]

    @property
    def is_saved_model(self) -> bool:
        """Whether it is a SavedModel, whose own folders hold no other model."""
        return any(name in self.names for name in SAVED_MODELS)


@dataclass(slots=True, kw_only=True)
class Tree:
    """The folders below one.

    Attributes:
        top: where to begin.
        without: folders that are passed over.
        most: files and folders that are looked at.
        told: sentences on what was not looked at, once `folders` has gone through.
    """

    top: Path
    without: Collection[Path] = ()
    most: int = MOST
    told: list[str] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _count: int = 0

    def folders(self) -> Iterator[Folder]:
        """The folders, from the top down. Hidden ones, virtual environments and what is inside a SavedModel are not.

        What a link leads to comes after all others, unless it was seen by then; of what is below it nothing is listed.
        """
        waiting, linked = deque([(self.top, 0)]), list[Path]()
        while waiting and self._count <= self.most:
            path, depth = waiting.popleft()
            found, below = self._listed(path)
            if found is None:
                continue
            yield found
            if found.is_saved_model:
                continue
            if depth == DEEPEST and below:
                self.told.append(f"What is more than {DEEPEST} folders down was not looked at: {path}.")
                continue
            waiting.extend((one, depth + 1) for one in below if not one.is_symlink())
            linked += [one for one in below if one.is_symlink()]
        for path in linked if self._count <= self.most else ():
            found, _ = self._listed(path)
            if found is not None:
                yield found
        if self._count > self.most:
            self.told.append(
                f"{self.top} holds more than {self.most:,} files and folders; the rest was not looked at. Name a "
                "smaller folder: --folder FOLDER."
            )

    def _listed(self, path: Path) -> tuple[Folder | None, list[Path]]:
        """A folder that was not seen yet, and the paths of the folders in it."""
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in self._seen or path.resolve() in self.without:
                return None, []
            self._seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                listed = sorted((entry.name, _is_folder(entry)) for entry in entries)
        except OSError as error:
            self.told.append(f"{path} cannot be looked at: {error.strerror}.")
            return None, []
        self._count += len(listed)
        names = tuple(name for name, is_folder in listed if not is_folder)
        below = [name for name, is_folder in listed if is_folder and not name.startswith(".")]
        if VIRTUAL_ENVIRONMENT in names or STORE.issubset(below):
            return None, []
        return Folder(path=path, names=names), [path / name for name in below if name not in NOT_OF_MODELS]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False
