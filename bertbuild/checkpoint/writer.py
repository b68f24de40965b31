"""Writes a TensorFlow V2 checkpoint that TensorFlow restores like one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint.bundle import STORED_AS
from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.checkpoint.strings import encode_string
from bertbuild.checkpoint.table import write_table
from bertbuild.graph.dtypes import DTYPE_NUMBERS
from bertbuild.graph.wire import encode_bytes, encode_fixed32, encode_number

_HEADER: Final = encode_number(1, 1) + encode_bytes(3, encode_number(1, 1))  # one data file; version.producer = 1
_DTYPES: Final = {np.dtype(stored): name for name, stored in STORED_AS.items() if name != "bfloat16"}


def write_checkpoint(prefix: Path | str, tensors: Mapping[str, npt.NDArray[Any] | bytes]) -> tuple[Path, Path]:
    """Write `tensors` as `<prefix>.index` and `<prefix>.data-00000-of-00001`; return both paths. Bytes are a string.

    Tensors lie in the data file in the order of their names, as TensorFlow's Saver puts them. Existing files are
    replaced. Raises ValueError for an empty name or a dtype without a TensorFlow counterpart, OSError when a file
    cannot be written.
    """
    prefix = Path(prefix)
    data = prefix.with_name(prefix.name + ".data-00000-of-00001")
    index = prefix.with_name(prefix.name + ".index")
    entries = [(b"", _HEADER)]
    offset = 0
    with data.open("wb") as file:
        for key, name in sorted((name.encode(), name) for name in tensors):
            if not key or key.startswith(b"\0"):
                raise ValueError(f"{name!r} cannot be the name of a tensor")
            tensor = tensors[name]
            if isinstance(tensor, bytes):
                string, crc = encode_string(tensor)
                entries.append((key, _entry("string", (), offset, len(string), crc)))
                file.write(string)
                offset += len(string)
                continue
            content = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
            if content.dtype not in _DTYPES:
                raise ValueError(f"the dtype {tensor.dtype} of {name} has no counterpart in TensorFlow")
            dtype = _DTYPES[content.dtype]
            entries.append((key, _entry(dtype, tensor.shape, offset, content.nbytes, crc32c(content))))
            file.write(content.reshape(-1).view(np.uint8).data)
            offset += content.nbytes
    index.write_bytes(write_table(entries))
    return index, data


def _entry(dtype: str, shape: tuple[int, ...], offset: int, nbytes: int, crc: int) -> bytes:
    """A BundleEntryProto. Like every proto3 message it leaves zeros out, but an empty shape is present."""
    sizes = b"".join(encode_bytes(2, encode_number(1, size) if size else b"") for size in shape)
    entry = encode_number(1, DTYPE_NUMBERS[dtype]) + encode_bytes(2, sizes)
    if offset:
        entry += encode_number(4, offset)
    if nbytes:
        entry += encode_number(5, nbytes)
    return entry + encode_fixed32(6, masked(crc))
