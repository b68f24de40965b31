"""Git-lfs pointers: the few lines of text that a clone without git-lfs leaves in place of a large file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.regular import irregular

_FIRST_LINE: Final = b"version https://git-lfs"
_LONGEST: Final = 1024  # the specification's limit (git-lfs docs/spec.md)

POINTER_SUFFIX: Final = ".LFS_POINTER"
"""Added to the names of pointers by people who share them knowingly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LfsPointer:
    """What a pointer says of the file it stands for."""

    path: Path
    oid: str
    """`"sha256:…"`, or empty when the pointer does not say."""
    size: int | None
    """Bytes of the real file, or None when the pointer does not say."""


def lfs_pointer(path: Path) -> LfsPointer | None:
    """The pointer lying at `path`, or None for any other file and for one that cannot be read."""
    if irregular(path):
        return None
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST)
    except OSError:
        return None
    if not text.startswith(_FIRST_LINE):
        return None
    values = dict(line.partition(" ")[::2] for line in text.decode(errors="replace").splitlines())
    size = values.get("size", "")
    return LfsPointer(path=path, oid=values.get("oid", ""), size=int(size) if size.isdecimal() else None)
