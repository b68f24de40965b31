"""Graphs that merely contain operators that may not run; nothing in them is ever run."""

from __future__ import annotations

from graph_builder import node_message

from bertbuild.graph.wire import encode_bytes, encode_number, fields


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


def edited(meta_graph, operators, *nodes):
    """A MetaGraphDef whose nodes of these names are of other operators, and with more nodes (of `node_message`)."""
    made = b""
    for part in fields(meta_graph):
        payload = meta_graph[part.start : part.end]
        if part.number == 2:
            payload = b"".join([*_with_operators(payload, operators), *nodes])
        made += encode_bytes(part.number, payload)
    return made


def _with_operators(graph_def, operators):
    for part in fields(graph_def):
        payload = graph_def[part.start : part.end]
        if part.number == 1:
            texts = {field.number: payload[field.start : field.end] for field in fields(payload)}
            operator = operators.get(texts[1].decode())
            payload += encode_bytes(2, operator.encode()) if operator else b""  # of two the last counts
        yield encode_bytes(part.number, payload)


def _inner(message):
    """What is inside of a message of one field."""
    (field,) = fields(message)
    return message[field.start : field.end]


def saved(folder, graph_def, *parts):
    """A SavedModel of TensorFlow 1 whose signature takes ids and gives out."""

    def port(name, tensor):
        return encode_bytes(1, name) + encode_bytes(2, encode_bytes(1, tensor) + encode_number(2, 3))

    signature = encode_bytes(1, port(b"input_ids", b"ids:0")) + encode_bytes(2, port(b"x", b"out:0"))
    named = encode_bytes(1, b"serving_default") + encode_bytes(2, signature)
    meta = encode_bytes(1, encode_bytes(4, b"serve")) + encode_bytes(2, graph_def) + encode_bytes(5, named)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(encode_number(1, 1) + encode_bytes(2, meta + b"".join(parts)))
    return folder
