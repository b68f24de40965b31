"""Names and operators of a GraphDef, read from its bytes: the program starts without TensorFlow."""

from typing import NamedTuple


class Node(NamedTuple):
    """What the compiler asks of a node."""

    name: str
    op: str


NODE = 1
NAME = 1
OP = 2

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5


class BadGraphError(ValueError):
    """The file is not a GraphDef."""


def read_nodes(path):
    """The nodes of the GraphDef in a file."""
    with open(path, "rb") as file:
        data = memoryview(file.read())
    return [_node(value) for field, value in _fields(data) if field == NODE]


def _node(data):
    texts = {field: bytes(value).decode() for field, value in _fields(data) if field in (NAME, OP)}
    if not texts.get(NAME) or not texts.get(OP):
        raise BadGraphError("a node has no name or no operator")
    return Node(texts[NAME], texts[OP])


def _fields(data):
    """(number, bytes) of the length-delimited fields of a protobuf message."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        wire = key & 7
        if wire == VARINT:
            _, position = _varint(data, position)
        elif wire == FIXED64:
            position += 8
        elif wire == FIXED32:
            position += 4
        elif wire == BYTES:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise BadGraphError("it is cut short")
            yield key >> 3, data[position : position + length]
            position += length
        else:
            raise BadGraphError("wire type %d" % wire)


def _varint(data, position):
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise BadGraphError("it is cut short")
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
