"""What a tensor behind a BERT's encoder is: pooled output, logits, probabilities, the two ends of a span, …"""

from __future__ import annotations

from bertbuild.graph.encoder import Encoder
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import Node, TensorRef
from bertbuild.graph.tracing import FED, SAME_VALUES, is_add, table, unwrapped
from bertbuild.heads.classifier import HEAD as CLASSIFIER
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.regression import TENSOR as SCORE
from bertbuild.heads.sequence import TENSOR as SEQUENCE

LOGITS = "logits"
EMBEDDING = "sentence_embedding"

_OF_LOGITS = CLASSIFIER.operators
_OF_SPAN = {**_OF_LOGITS, "ArgMax": "position"}
_SIDES = ("start", "end")
ANSWERS = frozenset([*_OF_LOGITS, "Tanh", "BiasAdd", "Add", "AddV2"])
"""Operators that a known output which others read may be of."""

_REDUCES = frozenset(["Mean", "Sum", "Max", "Prod"])
_FIRST_INPUT = frozenset(["Reshape", "Transpose", "StridedSlice", "Slice", "Mean", "Sum", "Max", "ArgMax", "Squeeze"])
_NO_VALUES = FED | {"Const", "Shape", "Pack"}


class Kinds:
    """Tells what tensors are, in one graph."""

    answers = frozenset(_OF_LOGITS.values()) | {f"{side}_{kind}" for side in _SIDES for kind in _OF_SPAN.values()}
    """Kinds that are an answer even where others read them."""

    def __init__(self, graph: Graph, encoder: Encoder) -> None:
        self._graph = graph
        self._encoder = encoder
        self._ends_at_one_position = any(self._takes_one_of_a_layer(graph.nodes[name]) for name in encoder.inside)

    def of(self, ref: TensorRef) -> str | None:
        """The kind of a tensor: a name as outputs have it, or None where it is of no known one."""
        core = unwrapped(self._graph, ref)
        node = self._graph.nodes[core.node]
        if core.node == self._encoder.end:
            return None if self._ends_at_one_position else SEQUENCE
        if core.node in self._encoder.inside:
            return None
        if self._is_pooled(node):
            return POOLED
        return self._of_head(core, node)

    def _of_head(self, core: TensorRef, node: Node) -> str | None:
        side = self._side(core)
        if side is not None:
            return f"{side}_{LOGITS}"
        if node.op in _OF_LOGITS and node.data_inputs:
            side = self._side(self._logits(node))
            return _OF_LOGITS[node.op] if side is None else f"{side}_{_OF_SPAN[node.op]}"
        dense = self._dense(core)
        if dense is not None:
            return SCORE if 1 in dense[1] and not self.per_position(core) and not self.is_answered(core) else LOGITS
        return EMBEDDING if self._is_mean(node) else None

    def _logits(self, answer: Node) -> TensorRef:
        """What an answer is made of: a class may be that of the largest probability."""
        before = unwrapped(self._graph, answer.data_inputs[0])
        node = self._graph.nodes[before.node]
        if answer.op == "ArgMax" and node.op in _OF_LOGITS and node.data_inputs:
            return unwrapped(self._graph, node.data_inputs[0])
        return before

    def is_answered(self, ref: TensorRef) -> bool:
        """Whether a dense layer's result is a head's: an answer is made of it; another's goes into an activation."""
        pending, seen = [ref], {ref}
        while pending:
            for node in self._graph.consumers(pending.pop()):
                if node.op in _OF_LOGITS:
                    return True
                output = TensorRef(node.name, 0)
                if node.op in SAME_VALUES and output not in seen:
                    seen.add(output)
                    pending.append(output)
        return False

    def per_position(self, ref: TensorRef) -> bool:
        """Whether a tensor holds something for each position: nothing since the encoder took that axis away."""
        pending, seen = [ref], {ref}
        while pending:
            current = pending.pop()
            node = self._graph.nodes[current.node]
            if current.node == self._encoder.end:
                return not self._ends_at_one_position
            if node.op in _NO_VALUES or current.node in self._encoder.inside or self._takes_positions_away(node):
                continue
            inputs = node.data_inputs[:1] if node.op in _FIRST_INPUT else node.data_inputs
            new = [source for source in inputs if source not in seen]
            seen.update(new)
            pending.extend(new)
        return False

    def _is_pooled(self, node: Node) -> bool:
        """Whether a tanh is the pooler's: of a dense layer of one position."""
        if node.op != "Tanh" or not node.data_inputs:
            return False
        dense = self._dense_input(unwrapped(self._graph, node.data_inputs[0]))
        return node.name.endswith("pooler/dense/Tanh") or (dense is not None and not self.per_position(dense))

    def _dense_input(self, ref: TensorRef) -> TensorRef | None:
        """What a dense layer, with a bias or without, is computed of; None where `ref` is not one's result."""
        dense = self._dense(ref)
        return None if dense is None else dense[0]

    def _dense(self, ref: TensorRef) -> tuple[TensorRef, tuple[int, ...]] | None:
        """The same, with the shape of its table."""
        node = self._graph.nodes[ref.node]
        if is_add(node.op) and len(node.data_inputs) == 2:
            products = [source for source in node.data_inputs if table(self._graph, source) is None]
            if len(products) != 1:
                return None
            node = self._graph.nodes[unwrapped(self._graph, products[0]).node]
        if node.op not in ("MatMul", "BatchMatMul", "BatchMatMulV2", "Einsum") or len(node.data_inputs) != 2:
            return None
        weight = table(self._graph, node.data_inputs[1])
        return None if weight is None else (node.data_inputs[0], weight[1])

    def _side(self, ref: TensorRef) -> str | None:
        """Which end ("start", "end") a tensor has the logits of, two for each position; None where it is neither."""
        node = self._graph.nodes[ref.node]
        if node.op == "Unpack" and node.number("num") == 2:
            column, of = ref.port, node.data_inputs[0]
        elif node.op in ("Split", "SplitV") and node.number("num_split") == 2:
            column, of = ref.port, node.data_inputs[1 if node.op == "Split" else 0]
        elif node.op == "StridedSlice":
            begin = self._values(node, 1)
            column, of = int(begin[-1]) if begin else 2, node.data_inputs[0]
            last = len(begin) - 1
            if (
                not begin
                or not node.number("shrink_axis_mask") >> last & 1
                or (last < 2 and not node.number("ellipsis_mask"))
            ):
                return None
        else:
            return None
        logits = unwrapped(self._graph, of)
        if self._graph.nodes[logits.node].op == "Transpose":
            logits = unwrapped(self._graph, self._graph.nodes[logits.node].data_inputs[0])
        if column > 1 or self._dense_input(logits) is None or not self.per_position(logits):
            return None
        return _SIDES[column]

    def _is_mean(self, node: Node) -> bool:
        """Whether a node is the mean of the hidden states over the positions, perhaps of the masked ones alone."""
        if node.op == "RealDiv" and len(node.data_inputs) == 2:
            total = self._graph.nodes[unwrapped(self._graph, node.data_inputs[0]).node]
            return total.op == "Sum" and self._reduces_positions(total)
        return node.op == "Mean" and self._reduces_positions(node)

    def _reduces_positions(self, node: Node) -> bool:
        return self._takes_positions_away(node) and self.per_position(node.data_inputs[0])

    def _takes_one_of_a_layer(self, node: Node) -> bool:
        """Whether the last layer computes one position alone, of what the layer before gives for all."""
        if not node.data_inputs or not self._takes_positions_away(node):
            return False
        return unwrapped(self._graph, node.data_inputs[0]).node in self._encoder.norms

    def _takes_positions_away(self, node: Node) -> bool:
        """Whether an operator leaves one of the positions, or one number for all."""
        if node.op in _REDUCES:
            return bool({1, -2} & set(self._values(node, 1)))
        if node.op == "ArgMax":
            axes = self._values(node, 1)
            return 1 in axes or (-1 in axes and self._side(unwrapped(self._graph, node.data_inputs[0])) is not None)
        if node.op == "GatherV2":
            return 1 in self._values(node, 2)
        if node.op == "Slice":
            sizes = self._values(node, 2)
            return len(sizes) > 1 and sizes[1] == 1
        if node.op == "StridedSlice" and not node.number("ellipsis_mask"):
            whole = node.number("begin_mask") & node.number("end_mask") & ~node.number("shrink_axis_mask")
            return len(self._values(node, 1)) > 1 and not whole >> 1 & 1
        return False

    def _values(self, node: Node, position: int) -> tuple[float, ...]:
        """The numbers of a constant input; none where it is computed."""
        inputs = node.data_inputs
        return self._graph.nodes[inputs[position].node].values() or () if len(inputs) > position else ()
