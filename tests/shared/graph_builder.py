"""Small BERT graphs written as GraphDef bytes, in every form the readers must understand."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field

from bertbuild.graph.dtypes import DTYPE_NUMBERS
from bertbuild.graph.wire import encode_bytes, encode_number


def shape_message(shape):
    if shape is None:
        return encode_number(3, 1)
    return b"".join(encode_bytes(2, encode_number(1, size)) for size in shape)


def dtype_attr(dtype):
    return encode_number(6, DTYPE_NUMBERS[dtype])


def shape_attr(shape):
    return encode_bytes(7, shape_message(shape))


def number_attr(value):
    return encode_number(3, value)


def truth_attr(*, value):
    return encode_number(5, int(value))


def tensor_attr(dtype, shape, content=b""):
    tensor = encode_number(1, DTYPE_NUMBERS[dtype]) + encode_bytes(2, shape_message(shape))
    return encode_bytes(8, tensor + (encode_bytes(4, content) if content else b""))


def node_message(name, op, inputs=(), **attrs):
    message = encode_bytes(1, name.encode()) + encode_bytes(2, op.encode())
    message += b"".join(encode_bytes(3, text.encode()) for text in inputs)
    for key, value in attrs.items():
        message += encode_bytes(5, encode_bytes(1, key.encode()) + encode_bytes(2, value))
    return encode_bytes(1, message)


@dataclass
class GraphBuilder:
    nodes: list = field(default_factory=list)

    def add(self, name, op, *inputs, **attrs):
        self.nodes.append((name, op, list(inputs), attrs))
        return name

    def scalar(self, name, value):
        return self.add(name, "Const", dtype=dtype_attr("float32"), value=float_attr(value))

    def table(self, name, shape, *, frozen):
        if frozen:
            count = shape[0] * shape[1]
            value = tensor_attr("float32", shape, bytes(4 * count))
            self.add(name, "Const", dtype=dtype_attr("float32"), value=value)
        else:
            self.add(name, "VariableV2", dtype=dtype_attr("float32"), shape=shape_attr(shape))
        return self.add(f"{name}/read", "Identity", name)

    def numbers(self, name, *values):
        """A Const of int32."""
        return self.add(
            name, "Const", value=tensor_attr("int32", [len(values)], struct.pack(f"<{len(values)}i", *values))
        )

    def norm(self, scope, x):
        """A layer norm as tf.contrib.layers.layer_norm computes it; gives its last node."""
        mean = self.add(f"{scope}/mean", "Mean", x, self.numbers(f"{scope}/axis", -1))
        root = self.add(f"{scope}/Rsqrt", "Rsqrt", mean)
        scale = self.add(f"{scope}/mul", "Mul", root, self.scalar(f"{scope}/gamma", 1.0))
        shift = self.add(f"{scope}/mul_2", "Mul", mean, scale)
        shifted = self.add(f"{scope}/sub", "Sub", self.scalar(f"{scope}/beta", 0.0), shift)
        return self.add(f"{scope}/add_1", "AddV2", self.add(f"{scope}/mul_1", "Mul", x, scale), shifted)

    def slice(self, name, x, *, begin, end, **masks):
        """A StridedSlice with the masks given as whole numbers."""
        corners = [self.numbers(f"{name}/{part}", *values) for part, values in (("begin", begin), ("end", end))]
        return self.add(name, "StridedSlice", x, *corners, **{key: number_attr(value) for key, value in masks.items()})

    def dense(self, scope, x, shape=(3, 4)):
        """A head's dense layer, its weights [C, H]; gives the sum with its bias."""
        weights = self.table(f"{scope}/weights", shape, frozen=True)
        product = self.add(f"{scope}/MatMul", "MatMul", x, weights, transpose_b=truth_attr(value=True))
        bias = self.add(f"{scope}/bias", "Const", value=tensor_attr("float32", shape[:1], bytes(4 * shape[0])))
        return self.add(f"{scope}/BiasAdd", "BiasAdd", product, bias)

    def renamed(self, seed):
        """The same graph with its nodes in another order, under names that tell nothing."""
        chance = random.Random(seed)  # noqa: S311
        names = [node[0] for node in self.nodes]
        labels = [f"n{i}" for i in range(len(names))]
        chance.shuffle(labels)
        new = dict(zip(names, labels, strict=True))

        def ref(text):
            control = "^" if text.startswith("^") else ""
            name, colon, port = text.removeprefix("^").partition(":")
            return f"{control}{new[name]}{colon}{port}"

        nodes = [(new[name], op, [ref(text) for text in inputs], attrs) for name, op, inputs, attrs in self.nodes]
        chance.shuffle(nodes)
        return GraphBuilder(nodes), new

    def graph_def(self):
        return b"".join(node_message(name, op, inputs, **attrs) for name, op, inputs, attrs in self.nodes)

    def meta_graph(self, version="1.12.0"):
        saver = encode_bytes(1, b"save/Const:0") + encode_bytes(2, b"save/id:0") + encode_bytes(3, b"save/restore_all")
        return (
            encode_bytes(1, encode_bytes(5, version.encode()))
            + encode_bytes(2, self.graph_def() + encode_bytes(4, encode_number(1, 27)))
            + encode_bytes(3, saver)
        )


def float_attr(value):
    tensor = encode_number(1, 1) + encode_bytes(2, b"") + encode_bytes(5, struct.pack("<f", value))
    return encode_bytes(8, tensor)


def bert_graph(
    *,
    fed="placeholders",
    frozen=False,
    word_lookup="gather",
    type_lookup="one_hot",
    gelu="erf",
    layers=2,
    shape=(1, 8),
    rows=(50, 2),
    placeholder_order=("input_ids", "input_mask", "segment_ids"),
    dropout=False,
    norms=False,
):
    """An encoder like modeling.py's, small; `fed` is "placeholders" or "iterator" (ports ids 0, mask 1, segments 4).

    With `norms` each layer ends in a layer norm, and the last in "sequence", of three dimensions.
    """
    g = GraphBuilder()
    if fed == "placeholders":
        labels = ("Placeholder", "Placeholder_1", "Placeholder_2")
        source = dict(zip(placeholder_order, labels, strict=True))
        for name in labels:
            g.add(name, "Placeholder", dtype=dtype_attr("int32"), shape=shape_attr(shape))
    else:
        g.add("IteratorV2", "IteratorV2")
        g.add("IteratorGetNext", "IteratorGetNext", "IteratorV2")
        source = {"input_ids": "IteratorGetNext", "input_mask": "IteratorGetNext:1", "segment_ids": "IteratorGetNext:4"}
    hidden, inner = 4, 6
    summed = [
        _lookup(g, "word", source["input_ids"], word_lookup, shape=(rows[0], hidden), frozen=frozen),
        _lookup(g, "type", source["segment_ids"], type_lookup, shape=(rows[1], hidden), frozen=frozen),
    ]
    g.add("add", "Add", *summed)
    g.add("position/slice", "Slice", g.table("position", (16, hidden), frozen=frozen))
    state = g.add("add_1", "Add", "add", "position/slice")
    if dropout:
        g.add("RandomUniform", "RandomUniform", "position/read")
        state = g.add("dropout", "Mul", state, "RandomUniform")
    g.add("mask/Reshape", "Reshape", source["input_mask"], "position/read")
    g.add("mask/Cast", "Cast", "mask/Reshape")
    g.add("mask/ones", "Fill", "position/read")
    g.add("mask/mul", "Mul", "mask/ones", "mask/Cast")
    forms = [gelu] * layers if isinstance(gelu, str) or gelu is None else gelu
    for i, form in enumerate(forms):
        made = _layer(g, f"layer_{i}", state, form, sizes=(hidden, inner), frozen=frozen)
        state = g.norm(f"layer_{i}/LayerNorm", g.add(f"layer_{i}/residual", "AddV2", made, state)) if norms else made
    if norms:
        state = g.add("sequence", "Reshape", state, g.add("sequence/shape", "Pack", *[g.scalar("size", 1.0)] * 3))
    g.slice("pooler/slice", state, begin=(0, 0, 0), end=(0, 1, 0), begin_mask=5, end_mask=5)
    g.add("pooler/MatMul", "MatMul", "pooler/slice", g.table("pooler/kernel", (hidden, hidden), frozen=frozen))
    g.add("bert/pooler/dense/Tanh", "Tanh", "pooler/MatMul")
    return g, source


def _lookup(g, name, source, form, *, shape, frozen):
    table = g.table(f"{name}_table", shape, frozen=frozen)
    picks = g.add(f"{name}/Reshape", "Reshape", source, table)
    if form == "gather":
        return g.add(f"{name}/gather", "GatherV2", table, picks)
    one_hot = g.add(f"{name}/one_hot", "OneHot", picks)
    product = g.add(f"{name}/MatMul", "MatMul", one_hot, table)
    return g.add(f"{name}/out", "Reshape", product, table)


def _layer(g, scope, state, gelu, *, sizes, frozen):
    hidden, inner = sizes
    query = g.add(f"{scope}/query", "MatMul", state, g.table(f"{scope}/wq", (hidden, hidden), frozen=frozen))
    g.add(f"{scope}/qk", "BatchMatMul", query, query)
    g.add(f"{scope}/scores", "Mul", f"{scope}/qk", g.scalar(f"{scope}/scale", 0.5))
    g.add(f"{scope}/ExpandDims", "ExpandDims", "mask/mul", "position/read")
    g.add(f"{scope}/sub", "Sub", g.scalar(f"{scope}/one", 1.0), f"{scope}/ExpandDims")
    g.add(f"{scope}/adder", "Mul", f"{scope}/sub", g.scalar(f"{scope}/far", -10000.0))
    g.add(f"{scope}/masked", "Add", f"{scope}/scores", f"{scope}/adder")
    g.add(f"{scope}/Softmax", "Softmax", f"{scope}/masked")
    g.add(f"{scope}/context", "BatchMatMul", f"{scope}/Softmax", query)
    kernel = g.table(f"{scope}/wi", (hidden, inner), frozen=frozen)
    x = g.add(f"{scope}/BiasAdd", "BiasAdd", g.add(f"{scope}/MatMul", "MatMul", f"{scope}/context", kernel), kernel)
    active = _gelu(g, scope, x, gelu)
    return g.add(f"{scope}/output", "MatMul", active, g.table(f"{scope}/wo", (inner, hidden), frozen=frozen))


def _gelu(g, scope, x, form):
    if form is None:
        return g.add(f"{scope}/Relu", "Relu", x)
    half = g.scalar(f"{scope}/half", 0.5)
    if form == "erf":
        inside = g.add(f"{scope}/Erf", "Erf", g.add(f"{scope}/div", "RealDiv", x, g.scalar(f"{scope}/root", 1.414)))
    else:
        cube = g.add(f"{scope}/Pow", "Pow", x, g.scalar(f"{scope}/three", 3.0))
        cubic = g.add(f"{scope}/cubic", "Mul", g.scalar(f"{scope}/c", 0.044715), cube)
        scaled = g.add(
            f"{scope}/poly", "Mul", g.scalar(f"{scope}/pi", 0.7978846), g.add(f"{scope}/sum", "Add", x, cubic)
        )
        inside = g.add(f"{scope}/Tanh", "Tanh", scaled)
    plus = g.add(f"{scope}/plus", "Add", g.scalar(f"{scope}/unit", 1.0), inside)
    return g.add(f"{scope}/gelu", "Mul", x, g.add(f"{scope}/halved", "Mul", half, plus))
