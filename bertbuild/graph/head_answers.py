"""What a graph makes of a head's logits: the activation and the loss behind them."""

from __future__ import annotations

from typing import NamedTuple

from bertbuild.graph.dense import Dense
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import Node, TensorRef
from bertbuild.graph.tracing import SAME_VALUES, VARIABLES, unwrapped

_SOFTMAX = {
    "Softmax": "Softmax",
    "LogSoftmax": "LogSoftmax",
    "SparseSoftmaxCrossEntropyWithLogits": "softmax cross entropy",
    "SoftmaxCrossEntropyWithLogits": "softmax cross entropy",
    "ArgMax": "ArgMax",
}
_ACTIVATIONS = frozenset(["Softmax", "Sigmoid"])
_TAKES_APART = {"Unpack": "num", "Split": "num_split", "SplitV": "num_split"}
_OF_CROSS_ENTROPY = frozenset(["Neg", "Select", "SelectV2", "Abs", "Exp", "Maximum", "Relu"])
"""What tf.nn.sigmoid_cross_entropy_with_logits does with the logits in front of its Log1p."""
_SQUARES = frozenset(["Square", "SquaredDifference"])
_NO_ANSWER = frozenset(
    ["Shape", "Size", "Rank", "Mean", "Sum", "Max", "Min", "Assert", "Print", "Mul", "GreaterEqual", "NoOp"]
)
"""Operators that measure the logits, or belong to a loss whose other operators are looked for."""
_READS = frozenset(["Identity", "ReadVariableOp"])
_LOOKS_UP = frozenset(["ExpandDims", "Reshape", "Gather", "GatherV2", "Enter"])
_MOST_STEPS = 2000


class Behind(NamedTuple):
    """What comes behind the logits of a head."""

    words: tuple[str, ...]
    """The activations and losses, as people call them."""
    softmax: bool
    """Whether one class is chosen: a softmax, its cross entropy, or the largest."""
    sigmoid: bool
    squared: bool
    regrouped: bool
    """Whether the softmax is over other rows than the dense layer gave."""
    ends: dict[str, TensorRef]
    """"start_logits" and "end_logits", where two columns are taken apart."""
    activation: TensorRef | None
    """The one Softmax or Sigmoid."""
    crf: str
    """The CRF behind them, in words; empty where there is none."""
    unknown: str
    """What else there is of no known head, in words."""


def answers_behind(graph: Graph, layer: Dense) -> Behind:
    """What comes behind a dense layer's result."""
    return _Walk(graph, layer).behind()


class _Walk:
    """Follows the logits forward, through changes of shape, to what is made of them."""

    def __init__(self, graph: Graph, layer: Dense) -> None:
        self._graph = graph
        self._layer = layer
        self._words: dict[str, None] = {}
        self._softmax = self._sigmoid = self._squared = self._regrouped = False
        self._ends: dict[str, TensorRef] = {}
        self._activations: list[TensorRef] = []
        self._others: list[str] = []

    def behind(self) -> Behind:
        """Walk."""
        columns = self._layer.columns
        pending = [(self._layer.output, columns, False)]
        seen = {self._layer.output}
        while pending and len(seen) < _MOST_STEPS:
            ref, last, turned = pending.pop()
            for node in self._graph.consumers(ref):
                output = TensorRef(node.name, 0)
                if output in seen:
                    continue
                seen.add(output)
                if node.op in SAME_VALUES and node.data_inputs[0] == ref:
                    pending.append((output, self._last(node, last), turned))
                elif node.op == "Transpose":
                    pending.append((output, last, True))
                elif not self._is_end(node, ref, columns):
                    self._take(node, ref, regrouped=last != columns, turned=turned)
        activation = self._activations[0] if len(self._activations) == 1 else None
        return Behind(
            tuple(self._words),
            self._softmax,
            self._sigmoid,
            self._squared,
            self._regrouped,
            self._ends,
            activation,
            self._crf() if self._others else "",
            self._unknown(),
        )

    def _last(self, node: Node, before: int) -> int:
        """The last axis of a tensor behind an operator that keeps its numbers; -1 where that is not known."""
        if node.op == "Squeeze" and self._layer.columns == 1:
            return 1  # a column less: the rows are the same
        if node.op == "ExpandDims":
            return before
        if node.op != "Reshape" or len(node.data_inputs) < 2:
            return before
        sizes = self._sizes(node.data_inputs[1])
        if self._layer.columns == 1 and sizes == (-1.0,):
            return 1
        return int(sizes[-1]) if sizes and sizes[-1] is not None else -1

    def _sizes(self, shape: TensorRef) -> tuple[float | None, ...]:
        """The sizes in a tensor that holds a shape, None for a computed one; none where nothing is known."""
        node = self._graph.nodes[unwrapped(self._graph, shape).node]
        if node.op == "Const":
            return node.values() or ()
        if node.op == "Pack":
            parts = (self._graph.nodes[unwrapped(self._graph, ref).node] for ref in node.data_inputs)
            return tuple(part.scalar() if part.op == "Const" else None for part in parts)
        return ()

    def _is_end(self, node: Node, ref: TensorRef, columns: int) -> bool:
        """Whether a node takes two columns apart, as start and end of a span; then they are noted."""
        if columns != 2:
            return False
        if _TAKES_APART.get(node.op) and node.number(_TAKES_APART[node.op]) == 2:
            self._ends.update(start_logits=TensorRef(node.name, 0), end_logits=TensorRef(node.name, 1))
            self._words["start and end taken apart"] = None
            return True
        if node.op == "StridedSlice" and node.data_inputs[0] == ref:
            begin = self._sizes(node.data_inputs[1])
            column = int(begin[-1] or 0) if begin else 2
            if column < 2 and node.number("shrink_axis_mask") >> (len(begin) - 1) & 1:
                self._ends["start_logits" if column == 0 else "end_logits"] = TensorRef(node.name, 0)
                self._words["start and end taken apart"] = None
                return True
        return False

    def _take(self, node: Node, ref: TensorRef, *, regrouped: bool, turned: bool) -> None:
        """Note what a node makes of the logits."""
        if node.op in _SOFTMAX and node.data_inputs[0] == ref:
            self._softmax = True
            self._regrouped = self._regrouped or regrouped
            self._words[_SOFTMAX[node.op] + (" over a turned tensor" if turned else "")] = None
            if turned:
                self._others.append(f"{node.op} behind Transpose")
        elif node.op == "Sigmoid":
            self._sigmoid = True
            self._words["Sigmoid"] = None
        elif self._is_cross_entropy(node):
            self._sigmoid = True
            self._words["sigmoid cross entropy"] = None
        elif node.op in _SQUARES or self._is_square(node):
            self._squared = True
            self._words["squared difference"] = None
        elif node.op not in _NO_ANSWER and not node.op.endswith("Summary"):
            self._others.append(node.op)
        if node.op in _ACTIVATIONS:
            self._activations.append(TensorRef(node.name, 0))

    def _is_cross_entropy(self, node: Node) -> bool:
        """Whether a node begins the way to the Log1p of sigmoid cross entropy."""
        pending, steps = [node], 0
        while pending and steps < 20:
            steps += 1
            current = pending.pop()
            if current.op in ("Log1p", "Softplus"):
                return True
            if current.op in _OF_CROSS_ENTROPY:
                pending.extend(self._graph.consumers(TensorRef(current.name, 0)))
        return False

    def _is_square(self, node: Node) -> bool:
        """Whether a node is a difference that is squared."""
        if node.op != "Sub":
            return False
        difference = TensorRef(node.name, 0)
        for reader in self._graph.consumers(difference):
            if reader.op in ("Square", "Pow") or (reader.op == "Mul" and set(reader.data_inputs) == {difference}):
                return True
        return False

    def _crf(self) -> str:
        """The table of transitions of a CRF over the logits, in words; empty where there is no one such table."""
        shape = (self._layer.columns, self._layer.columns)
        tables = [
            node.name
            for node in self._graph.nodes.values()
            if node.op in VARIABLES and node.shape() == shape and self._is_looked_up(node)
        ]
        return f"a CRF behind it ({tables[0]})" if len(tables) == 1 else ""

    def _is_looked_up(self, variable: Node) -> bool:
        """Whether rows of a variable are taken or spread; an optimizer multiplies what it keeps."""
        reads = [read for read in self._graph.consumers(TensorRef(variable.name, 0)) if read.op in _READS]
        users = [user for read in reads for user in self._graph.consumers(TensorRef(read.name, 0))]
        return any(user.op in _LOOKS_UP for user in users)

    def _unknown(self) -> str:
        """What belongs to no known head: a turned softmax; anything, where nothing is known."""
        turned = [one for one in self._others if " " in one]
        if turned:
            return turned[0]
        known = self._softmax or self._sigmoid or self._squared or self._ends
        return "" if known or not self._others else f"{', '.join(dict.fromkeys(self._others))} behind it"
