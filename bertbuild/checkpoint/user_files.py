"""A user's files, read: what is not a regular file is refused unopened, what is not UTF-8 by its encoding."""

from __future__ import annotations

import codecs
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final

from bertbuild.checkpoint.regular import irregular
from bertbuild.errors import CheckpointError
from bertbuild.json_text import parse_json

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LOOKED_AT: Final = 4096
"""Bytes at a file's start by which an encoding without a mark is told."""
_AGAIN: Final = "Download or copy the file again."
_REGULAR: Final = "Put the file itself there, or a link to it."


def require_regular(path: Path) -> None:
    """Raise `CheckpointError` for a folder, named pipe, socket or device; a link to a regular file is one."""
    odd = irregular(path)
    if odd is not None:
        raise CheckpointError(f"{path} {odd}.", next_step=_REGULAR)


def open_regular(path: Path) -> BinaryIO:
    """Open a file to be read. Raises `CheckpointError` for what is not a regular file, and OSError."""
    require_regular(path)
    return path.open("rb")


def open_unbuffered(path: Path) -> FileIO:
    """The same, for readers that read into memory of their own."""
    require_regular(path)
    return path.open("rb", buffering=0)


def read_regular(path: Path) -> bytes:
    """The bytes of a file. Raises `CheckpointError` for what is not a regular file, and OSError."""
    require_regular(path)
    return path.read_bytes()


def foreign_encoding(content: bytes) -> str | None:
    """The clause on what is not text ("is UTF-16; save it as UTF-8", "is not text"); None for what may be UTF-8.

    Of text in UTF-16 every other byte is 0, as far as it is of Latin letters; no text in UTF-8 has such bytes.
    """
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    start = content[:_LOOKED_AT]
    if marked is None and b"\0" in content:
        halves = start[::2].count(0), start[1::2].count(0)
        if 0 not in halves or sum(halves) * 4 < len(start):
            return "is not text"
        marked = "UTF-16LE" if halves[0] == 0 else "UTF-16BE"
    if marked is None:
        return None
    try:
        content.decode(marked)
    except UnicodeDecodeError:
        return "is not text"
    return f"is {marked[:6]}; save it as UTF-8"


def undecodable(content: bytes) -> str | None:
    """The clause on text that is not UTF-8 ("is not UTF-8 in line 3; save it as UTF-8"); None for UTF-8."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"is not UTF-8 in line {line}; save it as UTF-8"
    return None


def require_utf8(content: bytes, path: Path, next_step: str = _AGAIN) -> None:
    """Raise `CheckpointError` unless the bytes that were read from `path` are UTF-8, which may begin with a mark."""
    foreign = foreign_encoding(content) or undecodable(content)
    if foreign is not None:
        raise CheckpointError(f"{path} {foreign}.", next_step=next_step)


def read_object(path: Path, next_step: str = _AGAIN) -> dict[str, Any]:
    """The JSON object in a file; `next_step` is for errors.

    Raises:
        CheckpointError: it cannot be read, is not UTF-8, or is something else.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read.", next_step="Check that the file exists and may be read.", details=str(error)
        ) from error
    require_utf8(content, path, next_step)
    try:
        values = parse_json(content)
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON.", next_step=next_step, details=str(error)) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is JSON, but not an object.", next_step=next_step)
    return values
