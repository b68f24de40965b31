"""The tensors of a .safetensors file: 8 bytes of length, a JSON header, the numbers.

Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.user_files import open_regular
from bertbuild.errors import CheckpointError
from bertbuild.huggingface.stored import Stored

_LONGEST_HEADER: Final = 100_000_000  # the format's own limit
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
        CheckpointError: the file is cut short or is no safetensors file.
    """
    size = path.stat().st_size
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_LONGEST_HEADER, size - 8):
            raise _damaged(path, "its header is longer than the file")
        text = file.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a JSON object")
    start = 8 + length
    return {name: _entry(path, name, entry, start, size) for name, entry in header.items() if name != "__metadata__"}


def _entry(path: Path, name: str, entry: Any, start: int, size: int) -> Stored:
    """One tensor, its place in the file checked."""
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
    if start + end > size:
        raise _damaged(path, f"it ends before {name} does ({size:,} bytes of at least {start + end:,})")
    return Stored(path=path, offset=start + begin, dtype=dtype, shape=tuple(shape))


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path} cannot be read: {why}.", next_step="Download or copy the file again.")
