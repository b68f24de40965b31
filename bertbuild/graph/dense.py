"""The dense layers behind an encoder, and what lies between each of them and what it reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bertbuild.graph.forward import Dropout
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError, Node, TensorRef
from bertbuild.graph.tracing import SAME_VALUES, is_add, table, unwrapped

_PRODUCTS = frozenset(["MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"])
_GATHERS = frozenset(["Gather", "GatherV2", "GatherNd"])
_FIRST_INPUT = frozenset(["Transpose", "StridedSlice", "Slice", "Mean", "Sum", "Max"]) | SAME_VALUES | _GATHERS
"""Operators whose other inputs say how, and are no values."""
_NORMS = frozenset(["Rsqrt", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"])
_LOOPS = ("Enter", "Exit", "While", "StatelessWhile", "TensorArray", "BlockLSTM", "LSTMBlock", "CudnnRNN", "GRUBlock")
_MOST_LAYERS = 64
"""A published BERT has at most four dense layers behind its encoder, and an LSTM of two directions two."""


class Dense(NamedTuple):
    """A dense layer: a product with a table of two dimensions, and perhaps a bias."""

    product: str
    """The node that multiplies."""
    data: TensorRef
    """What it multiplies."""
    table: str
    """The name of its kernel."""
    columns: int
    """How many numbers it gives for each row."""
    bias: str
    """The name of its bias; empty where it has none."""
    output: TensorRef
    """The product, with the bias added where there is one."""
    by_rows: bool
    """Whether the kernel's numbers of one result are a row of it ([C, H]), else a column ([H, C])."""


class Way(NamedTuple):
    """What a dense layer's input is made of, back to the encoder's end or to other dense layers."""

    layers: tuple[Dense, ...]
    """The dense layers it comes from; none where it comes from the last hidden states."""
    operators: set[str]
    """Those on the way that change the numbers; dropouts, biases and changes of shape do not count."""
    first: bool
    """Whether the first position is taken on the way, and nothing else done."""
    gathers: tuple[str, ...]
    """The nodes on the way that take rows."""

    @property
    def plain(self) -> bool:
        """Whether nothing is done on the way."""
        return not self.operators and not self.first

    @property
    def positions(self) -> bool:
        """Whether nothing is done on the way but taking the rows of some positions."""
        return self.operators <= _GATHERS and not self.first

    @property
    def normed(self) -> bool:
        """Whether there is a layer norm on the way."""
        return bool(self.operators & _NORMS)

    @property
    def loop(self) -> bool:
        """Whether there is a loop on the way, or an operator that is one."""
        return any(op.startswith(_LOOPS) for op in self.operators)


class DenseLayers:
    """The dense layers of a graph that are computed from `end`, the node with the last hidden states.

    Raises `GraphFormatError` where there are more than heads can have.
    """

    def __init__(self, graph: Graph, end: str, dropouts: Iterable[Dropout]) -> None:
        self._graph = graph
        self._end = end
        self._without = {dropout.output: dropout.input for dropout in dropouts}
        self._behind = _downstream(graph, end)
        products = [node for node in graph.nodes.values() if node.name in self._behind and self._kernel(node)]
        if len(products) > _MOST_LAYERS:
            raise GraphFormatError(
                f"The graph has {len(products)} dense layers behind its encoder, and heads have a few."
            )
        self.all = [self._dense(node) for node in products]
        self._of_product = {layer.product: layer for layer in self.all}
        self._ways = {layer.product: self._way(layer) for layer in self.all}

    def way(self, layer: Dense) -> Way:
        """What is between a layer and what it reads."""
        return self._ways[layer.product]

    def last(self) -> list[Dense]:
        """The layers that no other reads."""
        read = {before.product for way in self._ways.values() for before in way.layers}
        return [layer for layer in self.all if layer.product not in read or self._reads_itself_alone(layer)]

    def _reads_itself_alone(self, layer: Dense) -> bool:
        """Whether a layer is read by none but itself, in a loop."""
        readers = [product for product, way in self._ways.items() if layer in way.layers]
        return readers == [layer.product] and not self.way(layer).loop

    def pooled(self, layer: Dense) -> TensorRef | None:
        """The pooler's output where the layer is a pooler: of the first hidden state, with tanh; else None."""
        way = self.way(layer)
        if way.layers or way.operators or not way.first:
            return None
        tanhs = [node for node in self._readers(layer.output) if node.op == "Tanh"]
        return TensorRef(tanhs[0].name, 0) if len(tanhs) == 1 else None

    def _readers(self, ref: TensorRef) -> list[Node]:
        """The nodes that read a tensor, through changes of shape."""
        found, pending, seen = [], [ref], {ref}
        while pending:
            for node in self._graph.consumers(pending.pop()):
                output = TensorRef(node.name, 0)
                if node.op not in SAME_VALUES:
                    found.append(node)
                elif output not in seen:
                    seen.add(output)
                    pending.append(output)
        return found

    def _kernel(self, node: Node) -> tuple[str, tuple[int, int], bool] | None:
        """As the function, of the table that a node multiplies with what comes from the encoder; else None."""
        if node.op not in _PRODUCTS or len(node.data_inputs) != 2:
            return None
        data, kernel = node.data_inputs
        return _kernel(self._graph, kernel) if data.node in self._behind else None

    def _dense(self, node: Node) -> Dense:
        data = node.data_inputs[0]
        name, shape, turned = self._kernel(node) or ("", (0, 0), False)
        by_rows = node.truth("transpose_b") or node.truth("adj_y")
        columns = shape[0] if by_rows else shape[1]
        product = TensorRef(node.name, 0)
        for reader in self._readers(product):
            for term in reader.data_inputs if is_add(reader.op) else ():
                found = table(self._graph, unwrapped(self._graph, term))
                if found is not None and found[1] == (columns,):
                    return Dense(node.name, data, name, columns, found[0], TensorRef(reader.name, 0), by_rows != turned)
        return Dense(node.name, data, name, columns, "", product, by_rows != turned)

    def _way(self, layer: Dense) -> Way:
        layers: list[Dense] = []
        operators: set[str] = set()
        gathers: list[str] = []
        first = False
        pending = [layer.data]
        seen = set(pending)
        while pending:
            ref = pending.pop()
            ref = self._without.get(ref, ref)
            node = self._graph.nodes[ref.node]
            if node.name == self._end or node.name not in self._behind:
                continue
            if node.name in self._of_product:
                layers.append(self._of_product[node.name])
                continue
            if self._takes_first(node):
                first = True
            elif self._changes(node):
                operators.add(node.op)
                if node.op in _GATHERS:
                    gathers.append(node.name)
            new = [one for one in _values(node) if one not in seen]
            seen.update(new)
            pending.extend(new)
        unique = {one.product: one for one in layers}
        return Way(tuple(unique.values()), operators, first, tuple(gathers))

    def _changes(self, node: Node) -> bool:
        """Whether a node gives other numbers than it reads, or the same in another order."""
        if node.op in SAME_VALUES:
            return False
        if node.op == "Transpose":
            order = _constant(self._graph, node, 1)
            return order != tuple(range(len(order))) or not order
        if is_add(node.op):
            tables = [table(self._graph, unwrapped(self._graph, ref)) for ref in node.data_inputs]
            return all(one is None or len(one[1]) != 1 for one in tables)
        return True

    def _takes_first(self, node: Node) -> bool:
        """Whether a node takes the first position of each row."""
        begin, second = _constant(self._graph, node, 1), _constant(self._graph, node, 2)
        if node.op in ("StridedSlice", "Slice"):
            whole = node.number("end_mask") & 2
            return len(begin) > 1 and len(second) > 1 and not any(begin) and second[1] == 1 and not whole
        return node.op == "GatherV2" and begin == (0,) and second == (1,)


def _values(node: Node) -> tuple[TensorRef, ...]:
    """The inputs of a node that are values, not sizes and places."""
    return node.data_inputs[:1] if node.op in _FIRST_INPUT else node.data_inputs


def _constant(graph: Graph, node: Node, position: int) -> tuple[float, ...]:
    """The numbers of a constant input; none where it is computed or not there.

    tf.tensordot joins the axes of its transpose from two constants.
    """
    inputs = node.data_inputs
    if len(inputs) <= position:
        return ()
    found = graph.nodes[inputs[position].node]
    if found.op != "ConcatV2":
        return _numbers(found)
    parts = [_numbers(graph.nodes[ref.node]) for ref in found.data_inputs[:-1]]
    return tuple(number for part in parts for number in part) if all(parts) else ()


def _numbers(node: Node) -> tuple[float, ...]:
    """The numbers of a small constant; none of another node."""
    if node.op != "Const":
        return ()
    values, shape = node.values() or (), node.tensor_shape() or ()
    return values * shape[0] if len(values) == 1 and len(shape) == 1 and shape[0] < 10 else values


def _kernel(graph: Graph, ref: TensorRef) -> tuple[str, tuple[int, int], bool] | None:
    """Name and shape of the table of two dimensions that a tensor is, as a product takes it; else None.

    And whether it lies the other way round.
    """
    found = unwrapped(graph, ref)
    node = graph.nodes[found.node]
    turned = False
    if node.op == "Transpose" and len(node.data_inputs) == 2:
        turned = _constant(graph, node, 1) == (1, 0)
        found = unwrapped(graph, node.data_inputs[0])
    known = table(graph, found)
    if known is None or len(known[1]) != 2:
        return None
    name, (rows, columns) = known
    return name, ((columns, rows) if turned else (rows, columns)), turned


def _downstream(graph: Graph, end: str) -> set[str]:
    """The names of all nodes that are computed from a node, itself left out."""
    readers: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        for ref in node.data_inputs:
            readers.setdefault(ref.node, []).append(node.name)
    found: set[str] = set()
    pending = [end]
    while pending:
        new = [name for name in readers.get(pending.pop(), ()) if name not in found]
        found.update(new)
        pending.extend(new)
    return found | {end}
