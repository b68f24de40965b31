"""The parts of a partitioned variable: where each lies in the whole, and the key that names it in a table.

A part's key is made so that bytes sort like numbers: 0, the variable's name, the rank, then start and length of each
axis (length -1: the whole axis). Keys of whole tensors never begin with a zero byte.
Sources: tensorflow/core/util/saved_tensor_slice_util.cc, framework/tensor_slice.{proto,cc},
core/lib/strings/ordered_code.cc (1.15).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from bertbuild.graph.wire import LENGTH_DELIMITED, WireError, fields, signed
from bertbuild.plural import number_of

Extents = tuple[tuple[int, int], ...]
"""Start and length on each axis; length -1 is the whole axis."""
Region = tuple[slice, ...]

WHOLE: Final = -1
_MOST_COMPARISONS: Final = 500_000
_HEADERS: Final = (0x0000, 0x8000, 0xC000, 0xE000, 0xF000, 0xF800, 0xFC00, 0xFE00, 0xFF00, 0xFF80, 0xFFC0)
"""What is XORed into the first two bytes of a signed number of that many bytes."""


def read_extents(message: bytes) -> Extents:
    """A TensorSliceProto. Raises `WireError` when it is none."""
    extents = []
    for extent in fields(message):
        if extent.number == 1 and extent.wire_type == LENGTH_DELIMITED:
            start, length = 0, WHOLE
            for field in fields(message, extent.start, extent.end):
                if field.number == 1:
                    start = signed(field.value)
                elif field.number == 2:
                    length = signed(field.value)
            extents.append((start, length))
    return tuple(extents)


def slice_key(name: str, extents: Extents) -> bytes:
    """The key of a part of the variable `name`."""
    text = name.encode().replace(b"\0", b"\0\xff").replace(b"\xff", b"\xff\0")
    key = _number(0) + text + b"\0\1" + _number(len(extents))
    return key + b"".join(_signed(number) for extent in extents for number in extent)


def region(shape: tuple[int, ...], extents: Extents) -> Region:
    """Where a part lies in a tensor of this shape. Raises `WireError` where it lies outside."""
    if len(extents) != len(shape):
        raise WireError(f"a part has {number_of(len(extents), 'axis', 'axes')}, the whole {len(shape)}")
    spans = [
        (0, size) if length == WHOLE else (start, start + length)
        for size, (start, length) in zip(shape, extents, strict=True)
    ]
    if any(not 0 <= start <= end <= size for size, (start, end) in zip(shape, spans, strict=True)):
        raise WireError("a part lies outside the whole")
    return tuple(slice(*span) for span in spans)


def fill(shape: tuple[int, ...], regions: Iterable[Region]) -> bool:
    """Whether these parts are the whole tensor, none of it twice.

    Raises `WireError` where that takes more comparisons than `_MOST_COMPARISONS`: a variable that is cut on one axis
    takes one for each part.
    """
    parts = [part for part in regions if all(span.stop > span.start for span in part)]
    if sum(math.prod(span.stop - span.start for span in part) for part in parts) != math.prod(shape):
        return False
    if len(parts) < 2 or not shape:
        return len(parts) < 2
    # Only parts that meet on one axis are compared; the axis with the most cuts leaves the fewest of them.
    axis = max(range(len(shape)), key=lambda number: len({part[number].start for part in parts}))
    parts.sort(key=lambda part: part[axis].start)
    open_: list[Region] = []
    compared = 0
    for part in parts:
        open_ = [other for other in open_ if other[axis].stop > part[axis].start]
        compared += len(open_) + 1
        if compared > _MOST_COMPARISONS:
            raise WireError(f"it is cut into parts in a way that takes over {_MOST_COMPARISONS} comparisons to check")
        if any(_meet(part, other) for other in open_):
            return False
        open_.append(part)
    return True


def _meet(one: Region, other: Region) -> bool:
    return all(max(a.start, b.start) < min(a.stop, b.stop) for a, b in zip(one, other, strict=True))


def _number(value: int) -> bytes:
    """OrderedCode's unsigned number: how many bytes, then these, the highest first."""
    content = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(content)]) + content


def _signed(value: int) -> bytes:
    """OrderedCode's signed number: as many leading ones as it has bytes, then the number."""
    size = (~value if value < 0 else value).bit_length() // 7 + 1
    if size == 1:
        return bytes([(0x80 ^ value) & 0xFF])
    content = bytearray(value.to_bytes(10, "big", signed=True)[-size:])
    header = _HEADERS[size]
    content[0] ^= header >> 8
    content[1] ^= header & 0xFF
    return bytes(content)
