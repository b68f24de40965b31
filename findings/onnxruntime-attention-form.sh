#!/usr/bin/env bash
# The optimizer of onnxruntime.transformers 1.32.0 finds BERT's attention in one spelling of the same arithmetic and in no
# other: the mask has to come through two Unsqueezes (one with two axes is as valid) and the scores through a Div (a Mul by
# the reciprocal is as valid). It says nothing when it finds none; the model it gives is right, and not fused.
#
# Seen with onnxruntime 1.32.0, onnx 1.23.2, Python 3.11 (Attention nodes found in one layer):
#     two Unsqueezes and Div 1, one Unsqueeze and Div 0, two Unsqueezes and Mul 0
# Exit code 0: it is still so. 1: it is not.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
uv venv --quiet --python 3.11 "$folder/venv"
uv pip install --quiet --python "$folder/venv/bin/python" onnxruntime==1.32.0 onnx==1.23.2 numpy==2.2.6 sympy==1.14.0

cat > "$folder/fuse.py" <<'PYTHON'
import logging
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.transformers import optimizer

logging.disable(logging.CRITICAL)
HEADS, SIZE = 2, 4
HIDDEN = HEADS * SIZE
folder = sys.argv[1]
chance = np.random.default_rng(1)


def layer(unsqueezes, scaled):
    """One layer of BERT's attention between two layer norms: [B, S, HIDDEN] and a mask [B, S]."""
    nodes, constants = [], []

    def constant(name, value, dtype):
        constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def node(operator, name, *inputs, **attributes):
        nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def dense(name, value):
        kernel = constant(name + "/kernel", chance.standard_normal((HIDDEN, HIDDEN)), np.float32)
        bias = constant(name + "/bias", chance.standard_normal(HIDDEN), np.float32)
        return node("Add", name + "/add", node("MatMul", name + "/matmul", value, kernel), bias)

    def norm(name, value):
        gamma, beta = (constant(name + part, np.ones(HIDDEN), np.float32) for part in ("/gamma", "/beta"))
        return node("LayerNormalization", name, value, gamma, beta, axis=-1, epsilon=1e-12)

    def parted(name):
        shape = constant(name + "/shape", [0, 0, HEADS, SIZE], np.int64)
        return node("Transpose", name + "/t", node("Reshape", name + "/r", dense(name, hidden), shape), perm=[0, 2, 1, 3])

    mask = "mask"
    for number, axes in enumerate(unsqueezes):
        axes = constant("axes%d" % number, axes, np.int64)
        mask = node("Unsqueeze", "unsqueeze%d" % number, mask, axes)
    read = node("Cast", "cast", mask, to=TensorProto.FLOAT)
    left_out = node("Sub", "sub", constant("one", 1, np.float32), read)
    bias = node("Mul", "bias", left_out, constant("least", -10000, np.float32))
    hidden = norm("before", node("Add", "twice", "x", "x"))
    keys = node("Transpose", "keys", parted("key"), perm=[0, 1, 3, 2])
    scores = node("MatMul", "scores", parted("query"), keys)
    factor = SIZE**0.5 if scaled == "Div" else SIZE**-0.5
    scores = node(scaled, "scaled", scores, constant("factor", factor, np.float32))
    shares = node("Softmax", "softmax", node("Add", "masked", scores, bias), axis=-1)
    context = node("Transpose", "context", node("MatMul", "weighed", shares, parted("value")), perm=[0, 2, 1, 3])
    context = node("Reshape", "merged", context, constant("whole", [0, 0, HIDDEN], np.int64))
    norm("y", node("Add", "residual", dense("output", context), hidden))
    ports = [("x", TensorProto.FLOAT, ["B", "S", HIDDEN]), ("mask", TensorProto.INT32, ["B", "S"])]
    inputs = [helper.make_tensor_value_info(*port) for port in ports]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", "S", HIDDEN])]
    graph = helper.make_graph(nodes, "attention", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def found(unsqueezes, scaled):
    path = folder + "/model.onnx"
    onnx.save(layer(unsqueezes, scaled), path)
    onnx.checker.check_model(path, full_check=True)
    model = optimizer.optimize_model(path, "bert", num_heads=HEADS, hidden_size=HIDDEN, opt_level=0)
    return model.get_fused_operator_statistics()["Attention"]


told = {
    "two Unsqueezes and Div": found([[1], [2]], "Div"),
    "one Unsqueeze and Div": found([[1, 2]], "Div"),
    "two Unsqueezes and Mul": found([[1], [2]], "Mul"),
}
print(", ".join("%s %d" % item for item in told.items()))
sys.exit(0 if list(told.values()) == [1, 0, 0] else 1)
PYTHON

echo "onnxruntime 1.32.0; Attention nodes found in one layer:"
"$folder/venv/bin/python" "$folder/fuse.py" "$folder"
