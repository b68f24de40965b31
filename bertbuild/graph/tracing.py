"""Steps through a graph that `roles` and `gelu` share: through operators that keep the values, to tables and inputs."""

from __future__ import annotations

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import TensorRef

FED = frozenset(
    ["Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "IteratorGetNext", "IteratorGetNextSync"],
)
"""Operators whose outputs come from outside the graph: fed by name, or drawn from the input pipeline."""

SAME_VALUES = frozenset(
    ["Identity", "StopGradient", "PreventGradient", "Snapshot", "Cast", "Reshape", "ExpandDims", "Squeeze"],
)
"""Operators whose first input holds the same numbers in the same order, in another shape or type."""

_READS = frozenset(["Identity", "ReadVariableOp", "Cast", "StopGradient", "Enter"])
VARIABLES = frozenset(["Variable", "VariableV2", "VarHandleOp"])
"""Operators that are variables."""
_TABLES = VARIABLES | {"Const"}
_SPREADS = frozenset(["BroadcastTo", "Tile", "Transpose"])
_PRODUCTS = frozenset(["MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"])
_ADDS = frozenset(["Add", "AddV2", "BiasAdd"])


def unwrapped(graph: Graph, tensor: TensorRef) -> TensorRef:
    """`tensor` before every operator of `SAME_VALUES` that only reshaped or cast it."""
    node = graph.nodes[tensor.node]
    passed = {node.name}
    while node.op in SAME_VALUES:
        graph.step()
        first = node.first_input
        if first is None or first.node in passed:
            break
        tensor = first
        node = graph.nodes[tensor.node]
        passed.add(node.name)
    return tensor


def is_add(op: str) -> bool:
    """Whether `op` adds two tensors."""
    return op in _ADDS


def table(graph: Graph, tensor: TensorRef) -> tuple[str, tuple[int, ...]] | None:
    """Name and shape of the variable or (in a frozen graph) constant that `tensor` is, perhaps read or cast.

    None for a tensor that is computed, and for a table of unknown rank.
    """
    node = graph.nodes[tensor.node]
    passed = {node.name}
    while node.op in _READS:
        graph.step()
        first = node.first_input
        if first is None or first.node in passed:
            break
        node = graph.nodes[first.node]
        passed.add(node.name)
    if node.op not in _TABLES:
        return None
    shape = node.tensor_shape() if node.op == "Const" else node.shape()
    return None if shape is None else (node.name, shape)


def fed_sources(graph: Graph, tensor: TensorRef) -> set[TensorRef]:
    """The fed tensors whose values make `tensor`, through shape changes, casts, spreading and products only.

    A factor that is constant or filled (the `ones` that spread BERT's mask) contributes nothing; google-research/albert
    spreads its mask by a matrix product with ones. Anything else on the way (a gather, another matrix product) ends the
    trace there: its values are computed, not fed.
    """
    sources: set[TensorRef] = set()
    pending = [tensor]
    seen: set[TensorRef] = set()
    while pending:
        found = unwrapped(graph, pending.pop())
        if found in seen:
            continue
        seen.add(found)
        node = graph.nodes[found.node]
        graph.step(1 + len(node.inputs))
        if node.op in FED:
            sources.add(found)
        elif node.op in _SPREADS:
            pending.extend(node.data_inputs[:1])
        elif node.op == "Mul":
            pending.extend(node.data_inputs)
        elif node.op in _PRODUCTS and len(node.data_inputs) == 2:
            left, right = node.data_inputs
            pending.extend(other for ones, other in ((left, right), (right, left)) if _is_filled(graph, ones))
    return sources


def _is_filled(graph: Graph, tensor: TensorRef) -> bool:
    """Whether a tensor holds one constant number at all its places."""
    node = graph.nodes[unwrapped(graph, tensor).node]
    if node.op == "Fill" and len(node.data_inputs) == 2:
        return constant(graph, node.data_inputs[1]) is not None
    return node.op == "Const" and len(set(node.values() or ())) == 1


def constant(graph: Graph, tensor: TensorRef) -> float | None:
    """The number `tensor` is when it comes from a Const that holds a single one, else None."""
    node = graph.nodes[unwrapped(graph, tensor).node]
    return node.scalar() if node.op == "Const" else None
