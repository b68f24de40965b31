"""Whether a checkpoint's own graph, in its `.meta`, can be asked, and for which answers; found without TensorFlow.

Of a BERT the stage that asks finds that out, since google-research/bert's code answers for the rest. Of other families
a plan must know it before: nothing else in TensorFlow 1 answers for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.node import GraphFormatError
from bertbuild.graph.own_answers import NAMES, own_graph
from bertbuild.heads.found import FoundHead

Shape = tuple[int, ...]

_OF_ENCODER = ("pooled_output", "sequence_output")
SHORTEST = 16
"""Of the probes of the gate: a graph for shorter sequences alone is asked nothing."""


def own_answers(
    graph: Graph | None, heads: Iterable[FoundHead], names: Mapping[str, str], shapes: Mapping[str, Shape]
) -> tuple[str, ...]:
    """The names of the answers that the graph gives from the variables that are taken; none where it cannot be asked.

    Args:
        graph: of the .meta; None where there is none, or it cannot be read.
        heads: those of the checkpoint. One whose variables have other names there is not asked for.
        names: google-research/bert's name → the checkpoint's, of the variables that are taken.
        shapes: of all variables, by the checkpoint's names.
    """
    found = tuple(head for head in heads if names.get(head.weights) == head.weights)
    if graph is None:
        return ()
    wanted = [*_OF_ENCODER, *dict.fromkeys(name for head in found for name in NAMES.get(head.kind, ()))]
    taken = {own: shapes[own] for own in names.values()}
    return tuple(name for name in wanted if _gives(graph, found, name, taken))


def _gives(graph: Graph, heads: tuple[FoundHead, ...], name: str, taken: Mapping[str, Shape]) -> bool:
    """Whether the graph gives an answer, of sequences as long as a short probe too."""
    try:
        found = own_graph(graph, heads, [name])
    except GraphFormatError:
        return False
    if found.seq_len is not None and found.seq_len < SHORTEST:
        return False
    declared = {variable: graph.nodes[variable].shape() for variable in found.cut.variables}
    return all(name in taken and shape in (None, taken[name]) for name, shape in declared.items())
