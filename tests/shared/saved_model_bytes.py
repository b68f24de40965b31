"""SavedModels written as bytes, around the graphs of `graph_builder`."""

from __future__ import annotations

from graph_builder import DTYPE_NUMBERS, bert_graph, shape_message

from bertbuild.graph.saved_model import ROLES
from bertbuild.graph.wire import encode_bytes, encode_number

INPUTS = {role: (f"{role}:0", "int32", (-1, 128)) for role in ROLES}
UNUSED = {name: (f"{name}:0", "int32", (-1,)) for name in ("label_ids", "is_real_example")}
PROBABILITIES = {"probabilities": ("loss/Softmax:0", "float32", (-1, 2))}


def ports(number, entries):
    message = b""
    for name, (tensor, dtype, shape) in entries.items():
        info = encode_bytes(1, tensor.encode()) + encode_number(2, DTYPE_NUMBERS[dtype])
        info += encode_bytes(3, shape_message(shape))
        message += encode_bytes(number, encode_bytes(1, name.encode()) + encode_bytes(2, info))
    return message


def signature(inputs=None, outputs=None, name="serving_default"):
    value = ports(1, INPUTS if inputs is None else inputs) + ports(2, PROBABILITIES if outputs is None else outputs)
    return encode_bytes(5, encode_bytes(1, name.encode()) + encode_bytes(2, value))


def meta_graph(builder=None, *signatures, tag="serve"):
    builder = bert_graph()[0] if builder is None else builder
    info = encode_bytes(4, tag.encode()) + encode_bytes(5, b"1.15.5")
    return encode_bytes(1, info) + encode_bytes(2, builder.graph_def()) + b"".join(signatures or [signature()])


def saved_model(*graphs):
    return encode_number(1, 1) + b"".join(encode_bytes(2, graph) for graph in graphs)
