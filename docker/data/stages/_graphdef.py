"""A frozen TensorFlow graph written node by node, so that no weight is held in memory.

A GraphDef is a protobuf message whose repeated field 1 is the nodes, and repeated fields may be written one after the
other: https://protobuf.dev/programming-guides/encoding/. Field numbers are those of
tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape,versions}.proto.
"""

import collections

import numpy as np
from stage import StageInputError

from bertbuild.graph import wire
from bertbuild.graph.dtypes import DTYPE_NUMBERS

LARGEST_GRAPH = 2**31 - 1  # protobuf refuses to read a message of 2 GiB or more
PRODUCER = 134
"""The version of graphs that TensorFlow 1.15 writes, by which readers know what attributes mean."""

GRAPH_NODE, GRAPH_VERSIONS, VERSIONS_PRODUCER = 1, 4, 1
NODE_NAME, NODE_OP, NODE_INPUT, NODE_ATTR = 1, 2, 3, 5
MAP_KEY, MAP_VALUE = 1, 2
ATTR_LIST, ATTR_TEXT, ATTR_NUMBER, ATTR_TRUTH, ATTR_TYPE, ATTR_SHAPE, ATTR_TENSOR = 1, 2, 3, 5, 6, 7, 8
LIST_NUMBER = 3
TENSOR_DTYPE, TENSOR_SHAPE, TENSOR_CONTENT = 1, 2, 4
SHAPE_DIM, DIM_SIZE = 2, 1


class Node(object):
    """A node as it is written; `array` is the value of a Const, which has no other attributes here."""

    __slots__ = ("array", "attributes", "inputs", "name", "op")

    def __init__(self, name, op, inputs=(), attributes=None, array=None):
        self.name = name
        self.op = op
        self.inputs = inputs
        self.attributes = attributes or {}
        self.array = array


def dtype(name):
    """The attribute of a type by its name: "float32"."""
    return wire.encode_number(ATTR_TYPE, DTYPE_NUMBERS[name])


def truth(value):
    """The attribute of a truth value."""
    return wire.encode_number(ATTR_TRUTH, int(value))


def number(value):
    """The attribute of a whole number."""
    return wire.encode_number(ATTR_NUMBER, value)


def numbers(values):
    """The attribute of a list of whole numbers."""
    return wire.encode_bytes(ATTR_LIST, b"".join(wire.encode_number(LIST_NUMBER, value) for value in values))


def text(value):
    """The attribute of a text."""
    return wire.encode_bytes(ATTR_TEXT, value.encode())


def shape(sizes):
    """The attribute of a shape, None for a size that is free."""
    return wire.encode_bytes(ATTR_SHAPE, _shape([-1 if size is None else size for size in sizes]))


def write_graph(path, nodes):
    """Write a graph.

    Args:
        path: the file to write.
        nodes: each behind those that it reads.

    Returns:
        collections.Counter of operators written, and the file's size in bytes.

    Raises:
        StageInputError: the result would be 2 GiB or more, which no reader of a GraphDef accepts.
    """
    large = sum(node.array.nbytes for node in nodes if node.array is not None)
    operators = collections.Counter(node.op for node in nodes)
    with open(path, "wb") as file:
        for node in nodes:
            if large <= LARGEST_GRAPH:
                _write_node(file, node)
            if large > LARGEST_GRAPH or file.tell() > LARGEST_GRAPH:
                raise StageInputError("the frozen graph would be 2 GiB or more, the most a GraphDef can hold")
        file.write(wire.encode_bytes(GRAPH_VERSIONS, wire.encode_number(VERSIONS_PRODUCER, PRODUCER)))
        return operators, file.tell()


def _write_node(file, node):
    parts = [wire.encode_bytes(NODE_NAME, node.name.encode()), wire.encode_bytes(NODE_OP, node.op.encode())]
    parts += [wire.encode_bytes(NODE_INPUT, name.encode()) for name in node.inputs]
    attributes = dict(node.attributes)
    content = b""
    if node.array is not None:
        attributes["dtype"] = dtype(node.array.dtype.name)
        content = memoryview(np.ascontiguousarray(node.array)).cast("B") if node.array.ndim else node.array.tobytes()
    parts += [
        wire.encode_bytes(NODE_ATTR, wire.encode_bytes(MAP_KEY, key.encode()) + wire.encode_bytes(MAP_VALUE, value))
        for key, value in sorted(attributes.items())
    ]
    head = b"".join(parts) + (b"" if node.array is None else _value(node.array, len(content)))
    file.write(_open_field(GRAPH_NODE, len(head) + len(content)))
    file.write(head)
    file.write(content)


def _value(array, length):
    """The attribute `value` of a Const as far as the bytes of its tensor, which are its end."""
    tensor = (
        wire.encode_number(TENSOR_DTYPE, DTYPE_NUMBERS[array.dtype.name])
        + wire.encode_bytes(TENSOR_SHAPE, _shape(array.shape))
        + _open_field(TENSOR_CONTENT, length)
    )
    for field in (ATTR_TENSOR, MAP_VALUE):
        tensor = _open_field(field, len(tensor) + length) + tensor
        if field == MAP_VALUE:
            tensor = wire.encode_bytes(MAP_KEY, b"value") + tensor
    return _open_field(NODE_ATTR, len(tensor) + length) + tensor


def _shape(sizes):
    return b"".join(wire.encode_bytes(SHAPE_DIM, wire.encode_number(DIM_SIZE, size)) for size in sizes)


def _open_field(number, length):
    return wire.encode_tag(number, wire.LENGTH_DELIMITED) + wire.encode_varint(length)
