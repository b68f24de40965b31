"""Which form of gelu a graph computes.

Google's archives of 2018 carry graphs with the exact form, x · ½ · (1 + erf(x / √2)); modeling.py since 2019 computes
the approximation ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) (Hendrycks and Gimpel, arXiv:1606.08415). The two
differ by up to 4.7e-4 per activation, which is enough to fail a parity check that does not know.
"""

from __future__ import annotations

from bertbuild.graph.graphdef import Graph, GraphFormatError, Node, TensorRef
from bertbuild.graph.tracing import SAME_VALUES, constant, is_add, table

_CUBIC = 0.044715
_CUBIC_TOLERANCE = 1e-4  # bfloat16 keeps two digits and a half
_POLYNOMIAL_OPS = SAME_VALUES | {"Mul", "Add", "AddV2", "Pow", "Square"}


def gelu_form(graph: Graph) -> str | None:
    """`"erf"`, `"tanh"`, or None when the activation between two dense layers is not a gelu.

    An activation counts when its result enters a matrix product with a weight: the intermediate layers do; the pooler's
    tanh does not, for no polynomial is inside, nor does the masked-LM transform, which a layer norm follows.
    Raises `GraphFormatError` when a graph has both forms.
    """
    found: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.op == "Erf":
            form = "erf"
        elif node.op == "Tanh" and _has_cubic(graph, node):
            form = "tanh"
        else:
            continue
        if form not in found and _enters_dense(graph, node):
            found[form] = node.name
    if len(found) > 1:
        raise GraphFormatError(
            f"The graph mixes two forms of gelu: exact at {found['erf']}, tanh approximation at {found['tanh']}.",
        )
    return next(iter(found), None)


def _has_cubic(graph: Graph, tanh: Node) -> bool:
    """Whether 0.044715 is a coefficient in what `tanh` is taken of."""
    pending = list(tanh.data_inputs)
    seen = set(pending)
    while pending:
        node = graph.nodes[pending.pop().node]
        if node.op not in _POLYNOMIAL_OPS:
            continue
        for ref in node.data_inputs:
            number = constant(graph, ref)
            if number is not None and abs(number - _CUBIC) < _CUBIC_TOLERANCE:
                return True
            if ref not in seen:
                seen.add(ref)
                pending.append(ref)
    return False


def _enters_dense(graph: Graph, activation: Node) -> bool:
    """Whether the result goes, through sums and products only, into a matrix product with a weight matrix."""
    pending = [TensorRef(activation.name, 0)]
    seen = set(pending)
    while pending:
        tensor = pending.pop()
        for node in graph.consumers(tensor):
            if node.op == "MatMul" and len(node.data_inputs) == 2 and node.data_inputs[0] == tensor:
                weight = table(graph, node.data_inputs[1])
                if weight is not None and len(weight[1]) == 2:
                    return True
            output = TensorRef(node.name, 0)
            if output not in seen and (node.op in SAME_VALUES or node.op == "Mul" or is_add(node.op)):
                seen.add(output)
                pending.append(output)
    return False
