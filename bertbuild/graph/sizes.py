"""How large a BERT graph's embedding tables and inputs are, found by following its edges."""

from __future__ import annotations

from typing import NamedTuple

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError, parse_ref
from bertbuild.graph.roles import embedding_lookups
from bertbuild.graph.tracing import table

_SLICES = frozenset(["Slice", "StridedSlice"])


class EmbeddingSizes(NamedTuple):
    """Rows of the three embedding tables."""

    vocab: int
    token_types: int
    positions: int
    """The longest sequence the graph can take."""


def embedding_sizes(graph: Graph) -> EmbeddingSizes:
    """Vocabulary, token types and positions.

    Positions are the rows of the table that is sliced, not looked up: google-research/bert takes its first S rows.

    Raises `GraphFormatError` when the tables are not found.
    """
    word, token_type = embedding_lookups(graph)
    tables = [word.table, token_type.table]
    width = graph.nodes[word.table].tensor_shape() or graph.nodes[word.table].shape() or ()
    found = set()
    for node in graph.nodes.values():
        if node.op in _SLICES and node.data_inputs:
            known = table(graph, node.data_inputs[0])
            if known is not None and len(known[1]) == 2 and known[1][1:] == width[1:] and known[0] not in tables:
                found.add(known)
    if len(found) != 1:
        raise GraphFormatError(f"{len(found)} tables of position embeddings were found in the graph; one is needed.")
    return EmbeddingSizes(word.rows, token_type.rows, found.pop()[1][0])


def input_sizes(graph: Graph, roles: dict[str, str]) -> tuple[int | None, int | None]:
    """Batch size and sequence length that are built into a graph's inputs, None where they are free or not told.

    Raises `GraphFormatError` when the inputs disagree.
    """
    shapes = [_input_shape(graph, tensor) for tensor in roles.values()]
    return _one_size(shapes, 0), _one_size(shapes, 1)


def _input_shape(graph: Graph, tensor: str) -> tuple[int, ...]:
    """[batch, sequence length] of a fed tensor as the graph declares it, -1 where that is free or not told."""
    ref = parse_ref(tensor)
    node = graph.nodes[ref.node]
    shapes = node.output_shapes()
    shape = shapes[ref.port] if ref.port < len(shapes) else node.shape()
    return shape if shape is not None and len(shape) == 2 else (-1, -1)


def _one_size(shapes: list[tuple[int, ...]], axis: int) -> int | None:
    sizes = {shape[axis] for shape in shapes if shape[axis] >= 0}
    if len(sizes) > 1:
        raise GraphFormatError(f"The graph's inputs disagree on their shape: {sorted(sizes)}.")
    return sizes.pop() if sizes else None


def computes_in_half(graph: Graph) -> bool:
    """Whether matrix products are of float16 or bfloat16, whatever the weights are stored as."""
    return any(node.op == "MatMul" and node.dtype("T") in ("float16", "bfloat16") for node in graph.nodes.values())
