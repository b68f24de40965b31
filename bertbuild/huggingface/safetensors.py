"""The tensors of a .safetensors file: 8 bytes of length, a JSON header, the numbers, end to end up to the file's end.

Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.user_files import open_regular
from bertbuild.errors import CheckpointError
from bertbuild.huggingface.stored import Stored
from bertbuild.json_text import parse_json

_LONGEST_HEADER: Final = 100_000_000  # the format's own limit
_MOST_TENSORS: Final = 1 << 16
_DTYPES: Final = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U64": ("uint64", 8),
    "U32": ("uint32", 4),
    "U16": ("uint16", 2),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
    "F8_E4M3": ("float8_e4m3", 1),
    "F8_E5M2": ("float8_e5m2", 1),
}


def read_safetensors(path: Path) -> dict[str, Stored]:
    """The tensors of a file by name, none of them read yet.

    Raises:
        CheckpointError: the file is cut short, has bytes that are not a tensor's, or is not a safetensors file.
    """
    size = path.stat().st_size
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_LONGEST_HEADER, size - 8):
            raise _damaged(path, "its header is longer than the file")
        text = file.read(length)
    try:
        header = parse_json(text)
    except ValueError as error:
        raise _damaged(path, f"its header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    if len(header) > _MOST_TENSORS:
        raise _damaged(path, f"it has more than {_MOST_TENSORS} tensors, the most that are read")
    start = 8 + length
    places = {name: _place(path, name, entry) for name, entry in header.items() if name != "__metadata__"}
    _require_end_to_end(path, places, size - start)
    return {
        name: Stored(path=path, offset=start + place.begin, dtype=place.dtype, shape=place.shape)
        for name, place in places.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One tensor as the header has it; bytes are counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def _place(path: Path, name: str, entry: Any) -> _Place:
    if not name.isprintable():
        raise _damaged(path, f"it has a tensor of the name {name!r}")
    try:
        code, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        sound = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
    except (TypeError, ValueError, KeyError) as error:
        raise _damaged(path, f"its header does not say where {name} lies") from error
    if not isinstance(code, str) or code not in _DTYPES:
        raise _damaged(path, f"{name} has the dtype {str(code)[:20]!r}, which is not known")
    dtype, width = _DTYPES[code]
    if not sound or end - begin != math.prod(shape) * width:
        raise _damaged(path, f"its header contradicts itself about {name}")
    return _Place(dtype=dtype, shape=tuple(shape), begin=begin, end=end)


def _require_end_to_end(path: Path, places: Mapping[str, _Place], size: int) -> None:
    """Raise where bytes behind the header are not a tensor's, or two tensors', as the library safetensors does."""
    filled = 0
    for name, place in sorted(places.items(), key=lambda item: (item[1].begin, item[1].end)):
        if place.end > size:
            raise _damaged(path, f"it ends before {name} does ({size:,} bytes of at least {place.end:,})")
        if place.begin != filled:
            raise _damaged(path, f"its tensors do not lie end to end: {name} begins at {place.begin:,}, not {filled:,}")
        filled = place.end
    if filled != size:
        raise _damaged(path, f"{size - filled:,} bytes after its last tensor belong to none")


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read: {why}.", next_step="Download or copy the file again.")
