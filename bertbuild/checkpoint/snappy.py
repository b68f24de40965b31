"""Snappy's raw block format, decompressed in plain Python.

The blocks of a checkpoint's index may be compressed with it. TensorFlow writes them plain but reads both. An index has
some tens of kilobytes. Time is bounded by the bytes read and written. Format: https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations

from typing import Final

from bertbuild.graph.wire import WireError, read_varint
from bertbuild.plural import number_of

_MOST_GROWTH: Final = 22  # the shortest element for the most bytes is a copy of 64 in 3


class SnappyError(ValueError):
    """The bytes are not a snappy block, or a damaged one."""


def decompress(block: bytes, *, limit: int) -> bytes:
    """The bytes that `block` was made from.

    Raises `SnappyError` when it is cut off, refers to bytes before its start, does not have the length it announces, or
    announces more than `limit` bytes or than so short a block can hold.
    """
    try:
        length, position = read_varint(block, 0, len(block))
    except WireError as error:
        raise SnappyError("its length cannot be read") from error
    if length > limit:
        raise SnappyError(f"it claims to hold {length} bytes")
    if length > _MOST_GROWTH * len(block):
        raise SnappyError(f"it claims to hold {length} bytes, more than {_MOST_GROWTH} times its own {len(block)}")
    output = bytearray()
    while position < len(block):
        tag = block[position]
        position += 1
        if tag & 3 == 0:
            size, position = _literal_size(block, tag, position)
            if position + size > len(block):
                raise SnappyError("a literal is cut off")
            output += block[position : position + size]
            position += size
        else:
            size, offset, position = _copy(block, tag, position)
            if not 0 < offset <= len(output):
                raise SnappyError("a copy refers to bytes that are not there")
            start = len(output) - offset
            while size:  # a copy may overlap what it writes: what is there of it is written again
                piece = output[start : start + size]
                output += piece
                size -= len(piece)
        if len(output) > length:
            break
    if len(output) != length:
        raise SnappyError(f"it holds {number_of(len(output), 'byte')}, not the {length} it announces")
    return bytes(output)


def _literal_size(block: bytes, tag: int, position: int) -> tuple[int, int]:
    """Size of the literal that `tag` opens, and where its bytes start."""
    size = tag >> 2
    if size < 60:
        return size + 1, position
    width = size - 59
    return int.from_bytes(_take(block, position, width), "little") + 1, position + width


def _copy(block: bytes, tag: int, position: int) -> tuple[int, int, int]:
    """Size and offset of the copy that `tag` opens, and the position after it."""
    if tag & 3 == 1:
        return (tag >> 2 & 7) + 4, tag >> 5 << 8 | _take(block, position, 1)[0], position + 1
    width = 2 if tag & 3 == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(_take(block, position, width), "little"), position + width


def _take(block: bytes, position: int, width: int) -> bytes:
    if position + width > len(block):
        raise SnappyError("an element is cut off")
    return block[position : position + width]
