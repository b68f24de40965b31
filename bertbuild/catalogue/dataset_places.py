"""Where a data set is on the user's disk: a folder that has its files, or the zips or texts they are made of.

People spell the folders CoLA, COLA and cola, and keep them side by side or in a folder `glue_data`: case does not
matter, and both are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertbuild.catalogue.datasets import Dataset, Part
from bertbuild.errors import DownloadError

_COLLECTIONS = ("glue_data", "glue", "squad")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesOnDisk:
    """The files themselves, by their names in the data set's folder. Copied, never changed."""

    folder: Path
    files: dict[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsOnDisk:
    """What the files are made of, by the parts' names. Read, never changed."""

    folder: Path
    parts: dict[str, Path]


def on_disk(dataset: Dataset, local: Path) -> FilesOnDisk | PartsOnDisk:
    """Find `dataset` in the folder `local`. Raises DownloadError, saying what was looked for."""
    if not local.is_dir():
        raise DownloadError(f"{local} is no folder.", next_step="Give --from the folder that has the zips or files.")
    required = [file.name for file in dataset.files if not file.optional]
    folders = [*_named(dataset, local), local]
    for folder in folders:
        files = _present([file.name for file in dataset.files], folder)
        if all(name in files for name in required):
            return FilesOnDisk(folder=folder, files=files)
        parts = {part.file: path for part in dataset.parts if (path := _part(dataset, part, folder)) is not None}
        if len(parts) == len(dataset.parts):
            return PartsOnDisk(folder=folder, parts=parts)
    names = " and ".join(part.file for part in dataset.parts)
    raise DownloadError(
        f"{local} has no {dataset.name}.",
        next_step=f"Put {names}, or a folder {dataset.name} with its files, there; or leave out --from to fetch it.",
        details=f"Looked for {', '.join(required)}, or {names}, in:\n" + "\n".join(str(folder) for folder in folders),
    )


def _named(dataset: Dataset, local: Path) -> Iterator[Path]:
    """The folders in `local` that are called like the data set."""
    words = {word.casefold() for word in (dataset.name, *dataset.aliases)}
    for folder in (local, *(local / name for name in _COLLECTIONS)):
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.name.casefold() in words and path.is_dir())


def _part(dataset: Dataset, part: Part, folder: Path) -> Path | None:
    names = [part.file, *part.also]
    if part.is_zip and len(dataset.parts) == 1:
        names += [f"{word}.zip" for word in (dataset.name, *dataset.aliases)]
    return next(iter(_present(names, folder).values()), None)


def _present(names: Sequence[str], folder: Path) -> dict[str, Path]:
    """Those of `names` (with forward slashes) that are files in `folder`; the exact spelling goes first."""
    found = {name: _spelt_somehow(folder / name) for name in names}
    return {name: path for name, path in found.items() if path is not None}


def _spelt_somehow(path: Path) -> Path | None:
    if path.is_file():
        return path
    if not path.parent.is_dir():
        return None
    near = sorted(other for other in path.parent.iterdir() if other.name.casefold() == path.name.casefold())
    return next((other for other in near if other.is_file()), None)
