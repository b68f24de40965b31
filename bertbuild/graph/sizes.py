"""How large a BERT graph's embedding tables are, found by following its edges."""

from __future__ import annotations

from typing import NamedTuple

from bertbuild.graph.graphdef import Graph, GraphFormatError
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
