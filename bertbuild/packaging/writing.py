"""A package on disk: a folder, and an archive of it. The same files give the same bytes whenever and wherever."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bertbuild.packaging.packed import Files

FILE_MODE: Final = 0o644
FOLDER_MODE: Final = 0o755
LEVEL: Final = 6
"""Of gzip. Weights hardly get smaller."""


def write_folder(files: Files, folder: Path) -> None:
    """Write the files, none of them a link; the folder is there once it is whole.

    Raises:
        OSError: it cannot be written, or is there already.
    """
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        for name, content in sorted(files.items()):
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                shutil.copyfile(content, path)
            path.chmod(FILE_MODE)
        for path in (new, *(path for path in new.rglob("*") if path.is_dir())):
            path.chmod(FOLDER_MODE)
        folder.mkdir()  # fails where something is there
        new.replace(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_archive(folder: Path, root: str, archive: Path) -> None:
    """Write a .tar.gz of a folder, its files below the folder `root`, sorted, without times and owners.

    Raises:
        OSError: it cannot be written.
    """
    new = archive.with_name(f".{archive.name}.new")
    try:
        with (
            new.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name, path in _entries(folder, root):
                _add(tar, name, path)
        new.replace(archive)
    finally:
        new.unlink(missing_ok=True)


def _entries(folder: Path, root: str) -> Iterator[tuple[str, Path]]:
    yield root, folder
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        yield f"{root}/{path.relative_to(folder).as_posix()}", path


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    if path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, FOLDER_MODE
        tar.addfile(entry, io.BytesIO())
        return
    entry.mode, entry.size = FILE_MODE, path.stat().st_size
    with path.open("rb") as content:
        tar.addfile(entry, content)
