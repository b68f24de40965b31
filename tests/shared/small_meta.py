"""A .meta of four nodes, as small as one can be that shows a layer norm."""

from __future__ import annotations

import struct

from bertbuild.graph.wire import encode_bytes, encode_number


def meta_of_epsilon(epsilon):
    """The bytes of a MetaGraphDef by TensorFlow 1.15.5 whose one layer norm adds `epsilon`; no BERT, and no gelu."""
    number = encode_number(1, 1) + encode_bytes(2, b"") + encode_bytes(5, struct.pack("<f", epsilon))
    value = encode_bytes(1, b"value") + encode_bytes(2, encode_bytes(8, number))
    nodes = [
        _node("x", "NoOp"),
        _node("y", "Const") + encode_bytes(5, value),
        _node("add", "AddV2", "x", "y"),
        _node("Rsqrt", "Rsqrt", "add"),
    ]
    graph = b"".join(encode_bytes(1, node) for node in nodes)
    return encode_bytes(1, encode_bytes(5, b"1.15.5")) + encode_bytes(2, graph)


def _node(name, op, *inputs):
    fields = [encode_bytes(1, name.encode()), encode_bytes(2, op.encode())]
    return b"".join((*fields, *(encode_bytes(3, ref.encode()) for ref in inputs)))
