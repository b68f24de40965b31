"""Which form of gelu a graph computes.

Google's archives of 2018 carry graphs with the exact form, x · ½ · (1 + erf(x / √2)); modeling.py since 2019 computes
the approximation ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))) (Hendrycks and Gimpel, arXiv:1606.08415). The two
differ by up to 4.7e-4 per activation, which is enough to fail a parity check that does not know.
"""

from __future__ import annotations

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError, TensorRef
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
    cubic, dense = _with_cubic(graph), _entering_dense(graph)
    found: dict[str, str] = {}
    for node in graph.nodes.values():
        if node.op == "Erf":
            form = "erf"
        elif node.op == "Tanh" and any(ref.node in cubic for ref in node.data_inputs):
            form = "tanh"
        else:
            continue
        if form not in found and TensorRef(node.name, 0) in dense:
            found[form] = node.name
    if len(found) > 1:
        raise GraphFormatError(
            f"The graph mixes two forms of gelu: exact at {found['erf']}, tanh approximation at {found['tanh']}.",
        )
    return next(iter(found), None)


def _with_cubic(graph: Graph) -> set[str]:
    """The nodes of polynomials that 0.044715 is a coefficient of; each is looked at once for all gelus."""
    polynomials: dict[str, tuple[TensorRef, ...]] = {}
    pending = [ref.node for node in graph.nodes.values() if node.op == "Tanh" for ref in node.data_inputs]
    while pending:
        name = pending.pop()
        if name not in polynomials and graph.nodes[name].op in _POLYNOMIAL_OPS:
            polynomials[name] = graph.nodes[name].data_inputs
            pending += [ref.node for ref in polynomials[name]]
    readers: dict[str, list[str]] = {}
    for name, inputs in polynomials.items():
        for ref in inputs:
            readers.setdefault(ref.node, []).append(name)
    found = {name for name, inputs in polynomials.items() if any(_is_cubic(graph, ref) for ref in inputs)}
    pending = list(found)
    while pending:
        more = set(readers.get(pending.pop(), ())) - found
        found |= more
        pending += more
    return found


def _is_cubic(graph: Graph, ref: TensorRef) -> bool:
    number = constant(graph, ref)
    return number is not None and abs(number - _CUBIC) < _CUBIC_TOLERANCE


def _entering_dense(graph: Graph) -> set[TensorRef]:
    """The tensors that go, through sums and products only, into a matrix product with a weight matrix."""
    found: set[TensorRef] = set()
    for node in graph.nodes.values():
        if node.op == "MatMul" and len(node.data_inputs) == 2:
            weight = table(graph, node.data_inputs[1])
            if weight is not None and len(weight[1]) == 2:
                found.add(node.data_inputs[0])
    pending = list(found)
    while pending:
        tensor = pending.pop()
        node = graph.nodes[tensor.node]
        if tensor.port == 0 and (node.op in SAME_VALUES or node.op == "Mul" or is_add(node.op)):
            more = set(node.data_inputs) - found
            found |= more
            pending += more
    return found
