"""What a BERT graph's constants say of its shape: head size and the epsilon of its layer norms."""

from __future__ import annotations

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError, Node, TensorRef
from bertbuild.graph.tracing import constant, is_add, unwrapped

_WHOLE = 1e-3  # 1/scale² of a float32 scale is this near to a whole number, up to head sizes of some hundreds
_SMALLEST = 1e-3  # the factor of heads a million wide


def head_size(graph: Graph) -> int:
    """The width of an attention head: 1/√(head size) is the factor of the scores in front of each softmax.

    Raises `GraphFormatError` when there is no such factor, or when layers have different ones.
    """
    scales = {
        scale
        for node in graph.nodes.values()
        if node.op == "Softmax" and node.data_inputs
        for scale in _scales(graph, node.data_inputs[0])
    }
    squares = [1 / scale**2 for scale in scales if scale > _SMALLEST]
    sizes = {round(square) for square in squares if abs(square - round(square)) < _WHOLE}
    if len(sizes) != 1 or 0 in sizes:
        found = ", ".join(f"{scale:g}" for scale in sorted(scales)) or "none"
        raise GraphFormatError(f"The attention scores have no one factor 1/√(head size) (factors found: {found}).")
    return sizes.pop()


def layer_norm_epsilon(graph: Graph) -> float:
    """What is added to the variance under the root of every layer norm: 1e-12, not the float32 nearest to it.

    Raises `GraphFormatError` when none is found, or when layer norms have different ones.
    """
    found = set()
    for node in graph.nodes.values():
        if node.op == "Rsqrt" and node.data_inputs:
            total = graph.nodes[unwrapped(graph, node.data_inputs[0]).node]
            if is_add(total.op):
                found |= _numbers(graph, total)
    if len(found) != 1:
        numbers = ", ".join(f"{number:g}" for number in sorted(found)) or "none"
        raise GraphFormatError(f"The layer norms have no one epsilon (found: {numbers}).")
    return float(f"{found.pop():.6g}")  # a float32 knows seven digits


def _scales(graph: Graph, scores: TensorRef) -> set[float]:
    """The positive constants that a sum's terms are multiplied by; a mask's factor is negative."""
    scales = set()
    pending = [scores]
    seen: set[TensorRef] = set()
    while pending:
        found = unwrapped(graph, pending.pop())
        if found in seen:
            continue
        seen.add(found)
        node = graph.nodes[found.node]
        graph.step(1 + len(node.inputs))
        if is_add(node.op):
            pending.extend(node.data_inputs)
        elif node.op == "Transpose":
            pending.extend(node.data_inputs[:1])
        elif node.op == "Mul":
            scales |= {number for number in _numbers(graph, node) if number > 0}
        elif node.op == "RealDiv" and len(node.data_inputs) == 2:
            divisor = constant(graph, node.data_inputs[1])
            scales |= {1 / divisor} if divisor is not None and divisor > 0 else set()
    return scales


def _numbers(graph: Graph, node: Node) -> set[float]:
    """Those of a node's inputs that are constants of a single number."""
    numbers = (constant(graph, ref) for ref in node.data_inputs)
    return {number for number in numbers if number is not None}
