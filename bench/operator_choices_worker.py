"""Times forms of one model that compute the same with other operators. Started by operator_choices.py, with OpenVINO.

Reads one JSON object on stdin: {"layers": n, "hidden": n, "heads": n, "shape": [batch, length], "cores": n, "runs": n}.
All forms run on these cores, in turn. Writes per form the time of each inference in milliseconds, on one core the
processor's, else the clock's; how far its answers are from the first form's; its layers by type.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import openvino
from answers import ROLES
from latency_worker import Run, in_turn, settings
from stages._writer import Writer, op
from weights_only_worker import encoder_shape

from bertbuild.model import encoder
from bertbuild.model.model import describe

VOCABULARY = 2000
FIRST = "as it is"
Attention = Callable[..., Any]


class SegmentsGathered(Writer):
    """Segments are looked up, not multiplied: another answer for one outside the table where it is negative."""

    def rows_or_zero(self, table: Any, ids: Any) -> Any:
        """A lookup."""
        return op.gather(table, ids, np.int32(0))


class WeightsTurned(Writer):
    """Weights lie as [outputs, inputs], as PyTorch has them."""

    def product(self, left: Any, right: Any, transposed: bool = False) -> Any:
        """The product with a turned constant."""
        if transposed or right.get_type_name() != "Constant":
            return op.matmul(left, right, False, transposed)
        return op.matmul(left, op.constant(np.ascontiguousarray(right.data.T)), False, True)


class NormsInParts(Writer):
    """A layer norm is written as means and a square root."""

    def layer_norm(self, values: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
        """Nine operators."""
        axis = np.array([-1], np.int32)
        off = op.subtract(values, op.reduce_mean(values, axis, True))
        variance = op.reduce_mean(op.multiply(off, off), axis, True)
        root = op.sqrt(op.add(variance, np.float32(epsilon)))
        return op.add(op.multiply(op.divide(off, root), gamma), beta)


class WholeLast(Writer):
    """The last layer's attention is computed for all positions, where the first alone is read."""

    whole_attention = True


def one_operator(ops: Any, sizes: Any, layer: str, asking: Any, hidden: Any, bias: Any) -> Any:
    """Attention as ScaledDotProductAttention."""
    query, key, value = parts(ops, sizes, layer, asking, hidden)
    factor = op.constant(np.float32(1 / math.sqrt(sizes.hidden // sizes.heads)))
    return ops.merge_heads(op.scaled_dot_product_attention(query, key, value, bias, factor, False), sizes.hidden)


def one_product(ops: Any, sizes: Any, layer: str, _asking: Any, hidden: Any, bias: Any) -> Any:
    """Queries, keys and values by one matrix product, split behind it."""
    scopes = sizes.scopes
    names = [layer + name for name in (scopes.query, scopes.key, scopes.value)]
    weights, biases = (
        op.constant(np.concatenate([ops.variable(f"{name}/{what}").data for name in names], -1))
        for what in ("kernel", "bias")
    )
    together = op.split(op.add(op.matmul(hidden, weights, False, False), biases), np.int32(2), 3)
    heads = [ops.split_heads(together.output(part), sizes.heads, sizes.hidden // sizes.heads) for part in range(3)]
    return attended(ops, sizes, *heads, bias)


def scaled_weights(ops: Any, sizes: Any, layer: str, asking: Any, hidden: Any, bias: Any) -> Any:
    """Queries are scaled by their weights."""
    scopes, size = sizes.scopes, sizes.hidden // sizes.heads
    kernel, offset = (
        op.constant(ops.variable(f"{layer}{scopes.query}/{what}").data / np.float32(math.sqrt(size)))
        for what in ("kernel", "bias")
    )
    query = ops.split_heads(op.add(op.matmul(asking, kernel, False, False), offset), sizes.heads, size)
    _, key, value = parts(ops, sizes, layer, asking, hidden)
    shares = ops.softmax(ops.add(ops.product(query, key, transposed=True), bias))
    return ops.merge_heads(ops.product(shares, value), sizes.hidden)


def parts(ops: Any, sizes: Any, layer: str, asking: Any, hidden: Any) -> list[Any]:
    """Queries, keys and values."""
    scopes, size = sizes.scopes, sizes.hidden // sizes.heads
    read = ((scopes.query, asking), (scopes.key, hidden), (scopes.value, hidden))
    return [ops.split_heads(encoder.dense(ops, layer + name, values), sizes.heads, size) for name, values in read]


def attended(ops: Any, sizes: Any, query: Any, key: Any, value: Any, bias: Any) -> Any:
    """What the description has behind queries, keys and values."""
    scores = ops.scale(ops.product(query, key, transposed=True), 1 / math.sqrt(sizes.hidden // sizes.heads))
    return ops.merge_heads(ops.product(ops.softmax(ops.add(scores, bias)), value), sizes.hidden)


USUAL = encoder._attention  # noqa: SLF001 - the forms of it are what is compared
FORMS: dict[str, tuple[type[Writer], Attention, str]] = {
    FIRST: (Writer, USUAL, "sequence"),
    "as it is, again": (Writer, USUAL, "sequence"),
    "ScaledDotProductAttention": (Writer, one_operator, "sequence"),
    "queries, keys, values as one product": (Writer, one_product, "sequence"),
    "scale in the queries' weights": (Writer, scaled_weights, "sequence"),
    "segments by Gather": (SegmentsGathered, USUAL, "sequence"),
    "weights as [outputs, inputs]": (WeightsTurned, USUAL, "sequence"),
    "layer norms in parts": (NormsInParts, USUAL, "sequence"),
    "pooled output": (Writer, USUAL, "pooled"),
    "pooled output, last attention whole": (WholeLast, USUAL, "pooled"),
}


def compiled(core: openvino.Core, name: str, request: dict[str, Any]) -> openvino.CompiledModel:
    """A form."""
    made, attention, output = FORMS[name]
    hidden = request["hidden"]
    ops = made(lambda variable: weights(variable, hidden), ROLES, None, None)
    sizes = encoder.Sizes(request["layers"], request["heads"], hidden, "erf", 1e-12)
    with mock.patch.object(encoder, "_attention", attention):
        outputs = describe(ops, sizes, ops.inputs, (), [output])
    return core.compile_model(ops.model(outputs, "form"), "CPU", settings(request["cores"]))


def weights(name: str, hidden: int) -> Any:
    """A variable of random numbers, the same each time it is asked for."""
    shape = encoder_shape(name, hidden, VOCABULARY)
    values = np.random.default_rng(list(name.encode())).standard_normal(shape, dtype=np.float32) * np.float32(0.02)
    return values + np.float32(name.endswith("gamma"))


def main() -> None:
    """Read the request, answer it."""
    request = json.load(sys.stdin)
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: request["cores"]]))
    core = openvino.Core()
    models = {name: compiled(core, name, request) for name in FORMS}
    clock = time.process_time if request["cores"] == 1 else time.perf_counter
    runs = {name: Run(model, request["shape"], clock=clock, words=VOCABULARY) for name, model in models.items()}
    in_turn(list(runs.values()), request["runs"])
    json.dump({name: run.as_dict(runs[FIRST]) for name, run in runs.items()}, sys.stdout)


if __name__ == "__main__":
    main()
