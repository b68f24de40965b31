"""Where a data set is on the user's disk: a folder that has its files, or the zips or texts they are made of.

People spell the folders CoLA, COLA and cola, and keep them side by side or in a folder `glue_data`: case does not
matter, and both places are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bertbuild.catalogue.datasets import Dataset
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipOnDisk:
    """A zip of the files, called like the data set; MRPC, which is not published so, is passed around so too."""

    folder: Path
    path: Path


def on_disk(dataset: Dataset, local: Path) -> FilesOnDisk | PartsOnDisk | ZipOnDisk:
    """Find `dataset` in the folder `local`. Raises DownloadError, saying what was looked for."""
    if not local.is_dir():
        raise DownloadError(f"{local} is not a folder.", next_step="Give --from the folder that has the zips or files.")
    required = [file.name for file in dataset.files if not file.optional]
    folders = list(_candidates(dataset, local))
    for folder in folders:
        files = _present([file.name for file in dataset.files], folder)
        if all(name in files for name in required):
            return FilesOnDisk(folder=folder, files=files)
        found = {part.file: _first((part.file, *part.also), folder) for part in dataset.parts}
        parts = {name: path for name, path in found.items() if path is not None}
        if len(parts) == len(dataset.parts):
            return PartsOnDisk(folder=folder, parts=parts)
        zipped = _first([f"{word}.zip" for word in (dataset.name, *dataset.aliases)], folder)
        if zipped is not None:
            return ZipOnDisk(folder=folder, path=zipped)
    published = " and ".join(part.file for part in dataset.parts)
    ways = dict.fromkeys((", ".join(required), published, f"{dataset.name}.zip"))
    raise DownloadError(
        f"{local} has no {dataset.name}.",
        next_step=f"Put {published}, or a folder {dataset.name} with its files, there; or leave out --from.",
        details=f"Looked for {', or '.join(ways)}, in:\n" + "\n".join(str(folder) for folder in folders),
    )


def _candidates(dataset: Dataset, local: Path) -> Iterator[Path]:
    """The folders in `local` that are called like the data set, and `local`; then the same in its collections."""
    words = {word.casefold() for word in (dataset.name, *dataset.aliases)}
    for folder in (local, *(local / name for name in _COLLECTIONS)):
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.name.casefold() in words and path.is_dir())
            yield folder


def _first(names: Sequence[str], folder: Path) -> Path | None:
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
