"""Checkpoints in the first format, written for tests; the reader was held against files of TensorFlow 1.15.5 too."""

from __future__ import annotations

import numpy as np

from bertbuild.checkpoint.slices import slice_key
from bertbuild.checkpoint.table import write_table
from bertbuild.graph.dtypes import DTYPE_NUMBERS
from bertbuild.graph.wire import encode_bytes, encode_number

FIELDS = {"float32": 5, "float64": 6, "int64": 10}


def extent(start, length):
    return b"" if length == -1 else (encode_number(1, start) if start else b"") + encode_number(2, length)


def slice_proto(extents):
    return b"".join(encode_bytes(1, extent(*one)) for one in extents)


def cuts(shape, parts):
    """Extents that cut the first axis into so many parts, the last the shortest."""
    if parts == 1:
        return [tuple((0, -1) for _ in shape)]
    size = -(-shape[0] // parts)
    rows = [(start, min(size, shape[0] - start)) for start in range(0, shape[0], size)]
    return [(row, *((0, -1) for _ in shape[1:])) for row in rows]


def write_v1(path, tensors, parts=1):
    """Write a file as SaverDef.V1 does; tensors of 4 rows and more are cut into `parts`."""
    meta, values = b"", {}
    for name, value in tensors.items():
        array = np.asarray(value)
        shape = b"".join(encode_bytes(2, encode_number(1, size) if size else b"") for size in array.shape)
        told = encode_bytes(1, name.encode()) + encode_bytes(2, shape)
        told += encode_number(3, DTYPE_NUMBERS[array.dtype.name])
        for extents in cuts(array.shape, parts if array.ndim and array.shape[0] >= 4 else 1):
            told += encode_bytes(4, slice_proto(extents))
            place = tuple(slice(None) if length == -1 else slice(start, start + length) for start, length in extents)
            numbers = encode_bytes(FIELDS[array.dtype.name], np.ascontiguousarray(array[place]).tobytes())
            saved = encode_bytes(1, name.encode()) + encode_bytes(2, slice_proto(extents)) + encode_bytes(3, numbers)
            values[slice_key(name, extents)] = encode_bytes(2, saved)
        meta += encode_bytes(1, told)
    path.write_bytes(write_table([(b"", encode_bytes(1, meta)), *sorted(values.items())]))
