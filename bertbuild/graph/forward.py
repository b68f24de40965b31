"""The part of a training graph that answers: without gradients and optimizer, and what dropout there is in it."""

from __future__ import annotations

import re
from typing import NamedTuple

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError, Node, TensorRef
from bertbuild.graph.tracing import unwrapped

_BACKWARD = re.compile(r"(^|/)(gradients(_\d+)?|gradient_tape)/")
"""The name scopes of tf.gradients and tf.GradientTape; an optimizer's compute_gradients calls the first."""
_RANDOM = frozenset(["RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2"])
_DRAWN = frozenset(["Mul", "Add", "AddV2", "Sub", "Floor", "GreaterEqual", "Greater", "Cast"])
"""Between the random numbers of a dropout and the zeros and ones that they become."""
_LONGEST_WAY = 6
_MOST_NODES = 100_000
"""A dropout has eight; a BERT of 48 layers has 146 dropouts."""
_SCALES = frozenset(["Mul", "RealDiv", "Div"])
_SELECTS = frozenset(["Select", "SelectV2"])


class Dropout(NamedTuple):
    """A dropout: without it, who reads `output` reads `input`."""

    output: TensorRef
    input: TensorRef


def forward_part(graph: Graph) -> Graph:
    """The nodes of a graph that need no gradient, under the same names."""
    dropped = {node.name for node in graph.nodes.values() if _BACKWARD.search(node.name) or node.op.endswith("Grad")}
    readers: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        for ref in node.data_inputs:
            readers.setdefault(ref.node, []).append(node.name)
    pending = list(dropped)
    while pending:
        new = [name for name in readers.get(pending.pop(), ()) if name not in dropped]
        dropped.update(new)
        pending.extend(new)
    return Graph({name: node for name, node in graph.nodes.items() if name not in dropped})


def find_dropouts(graph: Graph) -> tuple[Dropout, ...]:
    """Every dropout of a graph, in file order.

    tf.nn.dropout scales its input and multiplies it with zeros and ones, which are random numbers compared with the
    rate (from TensorFlow 1.14), or rounded down (before), or choose between it and zero (TensorFlow 2).

    Raises:
        GraphFormatError: there are so many nodes behind random numbers that they are none of dropouts.
    """
    found: dict[str, Dropout] = {}
    looked_at = 0
    for node in graph.nodes.values():
        if node.op not in _RANDOM:
            continue
        ends, drawn = _ends(graph, node)
        looked_at += len(ends) + len(drawn)
        if looked_at > _MOST_NODES:
            raise GraphFormatError("The graph has more dropouts than a BERT can have.")
        for end in ends:
            value = _kept(graph, end, drawn)
            if value is not None:
                found[end.name] = Dropout(TensorRef(end.name, 0), value)
    return tuple(found[name] for name in graph.nodes if name in found)


def _ends(graph: Graph, drawn_by: Node) -> tuple[list[Node], set[str]]:
    """The nodes that join random numbers with a tensor, and the names of all nodes that are made of those alone."""
    ends, drawn = [], {drawn_by.name}
    pending = [(drawn_by.name, 0)]
    while pending:
        name, steps = pending.pop()
        for node in graph.consumers(TensorRef(name, 0)):
            if node.name in drawn:
                continue
            if node.op in _SELECTS or (node.op == "Mul" and _other(graph, node, drawn) is not None):
                ends.append(node)
            elif node.op in _DRAWN and steps < _LONGEST_WAY:
                drawn.add(node.name)
                pending.append((node.name, steps + 1))
    return ends, drawn


def _other(graph: Graph, node: Node, drawn: set[str]) -> TensorRef | None:
    """The factor of a product that is neither random nor a constant."""
    others = [ref for ref in node.data_inputs if ref.node not in drawn and not _is_scale(graph, ref)]
    return others[0] if len(others) == 1 else None


def _kept(graph: Graph, end: Node, drawn: set[str]) -> TensorRef | None:
    """What a dropout would give if it dropped nothing and scaled nothing."""
    value = end.data_inputs[1] if end.op in _SELECTS and len(end.data_inputs) == 3 else _other(graph, end, drawn)
    if value is None:
        return None
    scaled = graph.nodes[value.node]
    if scaled.op in _SCALES and len(scaled.data_inputs) == 2:
        left, right = scaled.data_inputs
        if _is_scale(graph, right):
            return left
        if scaled.op == "Mul" and _is_scale(graph, left):
            return right
    return value


def _is_scale(graph: Graph, ref: TensorRef) -> bool:
    """Whether a tensor is made of a few constants of one number."""
    pending, left = [ref], 12
    while pending and left:
        left -= 1
        node = graph.nodes[unwrapped(graph, pending.pop()).node]
        if node.op == "Const":
            if node.tensor_shape():
                return False
        elif node.op in ("Sub", "RealDiv", "Div", "Mul", "Reciprocal") and node.data_inputs:
            pending.extend(node.data_inputs)
        else:
            return False
    return not pending
