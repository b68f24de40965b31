"""Where a BERT's encoder ends in a graph: the last layer norm over a sum of two computed tensors."""

from __future__ import annotations

from collections.abc import Iterator

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import Node, TensorRef
from bertbuild.graph.tracing import is_add, table, unwrapped

_FUSED = frozenset(["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
_NORMALISES = frozenset(["Rsqrt", "Sqrt"]) | _FUSED
_SCALES = frozenset(["Mul", "Sub", "Reshape", "Identity", "Cast", "RealDiv"]) | _FUSED
_LONGEST_WAY = 6  # operators between a layer norm's root and the sum with beta that ends it


class Encoder:
    """The part of a graph up to the last layer's output.

    Attributes:
        end: the node that computes the last hidden states, or None where no one such node is found.
        inside: names of all nodes that a layer norm of the encoder is computed from.
        norms: names of the nodes that end its layer norms over sums.
    """

    def __init__(self, graph: Graph) -> None:
        norms = [node for node in graph.nodes.values() if _is_residual_norm(graph, node)]
        self.norms = frozenset(node.name for node in norms)
        self.inside: set[str] = set()
        pending = [ref.node for node in norms for ref in node.data_inputs]
        while pending:
            name = pending.pop()
            if name not in self.inside:
                self.inside.add(name)
                pending.extend(ref.node for ref in graph.nodes[name].data_inputs)
        ends = [node.name for node in norms if node.name not in self.inside]
        self.end: str | None = ends[0] if len(ends) == 1 else None

    def sequence(self, graph: Graph) -> TensorRef | None:
        """The last hidden states [B, S, H]; None where the encoder's end is not known.

        google-research/bert computes in two dimensions and gives them their third at the end.
        """
        if self.end is None:
            return None
        end = TensorRef(self.end, 0)
        for node in graph.consumers(end):
            if node.op == "Reshape" and node.data_inputs[0] == end and _length(graph, node.data_inputs[1]) == 3:
                return TensorRef(node.name, 0)
        return end


def _length(graph: Graph, shape: TensorRef) -> int | None:
    """How many sizes a tensor that holds a shape has; None where that is computed."""
    node = graph.nodes[unwrapped(graph, shape).node]
    if node.op == "Pack":
        return len(node.data_inputs)
    sizes = node.tensor_shape() if node.op == "Const" else None
    return sizes[0] if sizes is not None and len(sizes) == 1 else None


def _is_residual_norm(graph: Graph, node: Node) -> bool:
    """Whether a node ends the layer norm of a sum: of a layer's result and its input, or of the embeddings.

    The layer norm of the masked-LM head is one of an activation.
    """
    if not is_add(node.op) or len(node.data_inputs) != 2:
        return False
    factors = list(_factors(graph, node))
    return any(factor.op in _NORMALISES for factor in factors) and any(_is_sum(graph, factor) for factor in factors)


def _factors(graph: Graph, node: Node) -> Iterator[Node]:
    """The nodes that the terms of a sum are scaled from, or by, a few operators away."""
    pending = [(ref.node, 0) for ref in node.data_inputs]
    seen = {name for name, _ in pending}
    while pending:
        name, steps = pending.pop()
        found = graph.nodes[name]
        graph.step(1 + len(found.inputs))
        yield found
        if found.op in _SCALES and steps < _LONGEST_WAY:
            new = [ref.node for ref in found.data_inputs if ref.node not in seen]
            seen.update(new)
            pending.extend((name, steps + 1) for name in new)


def _is_sum(graph: Graph, node: Node) -> bool:
    """Whether a node adds two tensors that are both computed."""
    inputs = node.data_inputs
    return node.op in ("Add", "AddV2") and len(inputs) == 2 and all(table(graph, ref) is None for ref in inputs)
