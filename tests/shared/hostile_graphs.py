"""Graphs that merely contain operators that may not run; nothing in them is ever run."""

from __future__ import annotations

from graph_builder import node_message

from bertbuild.graph.wire import encode_bytes, encode_number


def function_message(name, *nodes):
    """A FunctionDef of nodes (name, operator, inputs)."""
    signature = encode_bytes(1, encode_bytes(1, name.encode()))
    # A node stands in a function under the number 3, in a graph under 1.
    bodies = [_inner(node_message(node, op, inputs)) for node, op, inputs in nodes]
    return encode_bytes(1, signature + b"".join(encode_bytes(3, body) for body in bodies))


def library(*functions):
    """The field of a GraphDef that holds its functions."""
    return encode_bytes(2, b"".join(functions))


def func_attr(name):
    """An attribute that names a function."""
    return encode_bytes(10, encode_bytes(1, name.encode()))


def func_list_attr(*names):
    """An attribute that names several."""
    return encode_bytes(1, b"".join(encode_bytes(9, encode_bytes(1, name.encode())) for name in names))


def versions():
    """The field of a GraphDef that says which TensorFlow made it."""
    return encode_bytes(4, encode_number(1, 27))


def _inner(message):
    """What is inside of a message of one field."""
    from bertbuild.graph.wire import fields

    (field,) = fields(message)
    return message[field.start : field.end]
