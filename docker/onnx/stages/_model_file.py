"""An ONNX file written with the values of its constants streamed into it, so that no weight is held in memory.

A protobuf message may have its fields in any order, so the graph is written as the onnx package serialises it, and the
constants behind it. A message of 2 GiB or more can be read by nobody: where the constants are as large they lie in a
file beside it. Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import os

import numpy as np

from bertbuild.graph import wire

MODEL_GRAPH, GRAPH_CONSTANT = 7, 5
TENSOR_DIM, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW, TENSOR_EXTERNAL, TENSOR_PLACE = 1, 2, 8, 9, 13, 14
ENTRY_KEY, ENTRY_VALUE = 1, 2
TYPES = {"float32": 1, "int32": 6, "int64": 7, "float16": 10}
EXTERNAL = 1
PAGE = 4096
"""Constants in a file of their own begin at a multiple of this, so that a runtime can map them into memory."""

SMALL = 1024
"""Bytes of constants that stay in the model in any case: shape inference reads them there."""

LARGEST = 2**31 - 2**20
"""Bytes of constants that a model can hold, with a megabyte for its nodes."""


def write_model(path, head, graph, arrays, largest=LARGEST):
    """Write a model.

    Args:
        path: the file to write; where constants lie beside it they are in PATH.data.
        head: a serialised onnx.ModelProto without its graph.
        graph: a serialised onnx.GraphProto without its constants.
        arrays: name of each constant → array.
        largest: bytes of constants from which on they lie beside it.

    Returns:
        the names of the files written.
    """
    beside = os.path.basename(path) + ".data" if sum(array.nbytes for array in arrays.values()) > largest else None
    constants, at = [], 0
    for name, array in arrays.items():
        if beside and array.nbytes > SMALL:
            at = -(-at // PAGE) * PAGE
            constants.append((_tensor(name, array) + _place(beside, at, array.nbytes), None))
            at += array.nbytes
        else:
            constants.append((_tensor(name, array) + _open_field(TENSOR_RAW, array.nbytes), array))
    with open(path, "wb") as file:
        file.write(head)
        lengths = [len(fields) + (0 if array is None else array.nbytes) for fields, array in constants]
        opened = [_open_field(GRAPH_CONSTANT, length) for length in lengths]
        file.write(_open_field(MODEL_GRAPH, len(graph) + sum(lengths) + sum(map(len, opened))))
        file.write(graph)
        for beginning, (fields, array) in zip(opened, constants):
            file.write(beginning)
            file.write(fields)
            if array is not None:
                _write_bytes(file, array)
    if not beside:
        return [os.path.basename(path)]
    with open(path + ".data", "wb") as file:
        for array in arrays.values():
            if array.nbytes > SMALL:
                file.write(b"\0" * (-file.tell() % PAGE))
                _write_bytes(file, array)
    return [os.path.basename(path), beside]


def _tensor(name, array):
    dims = b"".join(wire.encode_number(TENSOR_DIM, size) for size in array.shape)
    kind = wire.encode_number(TENSOR_TYPE, TYPES[array.dtype.name])
    return dims + kind + wire.encode_bytes(TENSOR_NAME, name.encode())


def _place(file, offset, length):
    entries = (("location", file), ("offset", str(offset)), ("length", str(length)))
    fields = b"".join(
        wire.encode_bytes(
            TENSOR_EXTERNAL,
            wire.encode_bytes(ENTRY_KEY, key.encode()) + wire.encode_bytes(ENTRY_VALUE, value.encode()),
        )
        for key, value in entries
    )
    return fields + wire.encode_number(TENSOR_PLACE, EXTERNAL)


def _write_bytes(file, array):
    file.write(memoryview(np.ascontiguousarray(array)).cast("B") if array.ndim else array.tobytes())


def _open_field(number, length):
    return wire.encode_tag(number, wire.LENGTH_DELIMITED) + wire.encode_varint(length)
