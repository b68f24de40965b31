"""What a checkpoint's own graph answers: which of its tensors is which output, and how that is read.

A training graph answers too: fed behind its pipeline, its dropout made identity, its loss and optimizer cut away.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple  # noqa: UP035  (Python 3.7)

from bertbuild.graph.cutting import Cut, cut
from bertbuild.graph.graphdef import Graph
from bertbuild.graph.head_tracing import SEQUENCE, TracedGraph, TracedHead, trace_heads
from bertbuild.graph.node import GraphFormatError, TensorRef
from bertbuild.graph.roles import input_roles
from bertbuild.graph.sizes import input_sizes
from bertbuild.heads.found import FoundHead

ROWS, POSITIONS, ENDS, SCORE = "[B, C]", "[B, S, C]", "[B, S]", "[B]"
"""The shapes of answers: batch, sequence length, columns. A graph may have the same numbers in another shape."""
PLACES = "masked_lm_positions"
"""What says where a masked-LM head of a training graph answers, besides the three inputs."""

_CLASSES = ("logits", "probabilities")
_ENDS = ("start_logits", "end_logits")
NAMES = {
    "classifier": _CLASSES,
    "multi-label": _CLASSES,
    "tokens": _CLASSES,
    "regression": ("score",),
    "span": _ENDS,
    "masked-lm": ("masked_lm_logits",),
    "next-sentence": ("next_sentence_logits",),
}
"""What the answers of each kind of head are called."""
_PER_POSITION = frozenset(["tokens", "span", "masked-lm"])
_ACTIVATIONS = {"classifier": "Softmax", "multi-label": "Sigmoid", "tokens": "Softmax"}


class OwnAnswer(NamedTuple):
    """An answer of the graph."""

    tensor: TensorRef
    shape: str
    """One of those above."""
    column: int | None = None
    """Which of the tensor's columns it is, where it is one."""
    activation: str = ""
    """"Softmax" or "Sigmoid" where the graph has the logits alone, in a loss that is cut away."""


class OwnGraph(NamedTuple):
    """What is cut out of a graph to be asked."""

    cut: Cut
    answers: dict[str, OwnAnswer]
    """By the names that answers have."""
    missing: dict[str, str]
    """What was wanted and the graph does not compute → why, as a sentence's end."""
    batch: int | None
    """The only batch size it takes, or None."""
    seq_len: int | None
    """The only sequence length it takes, or None."""
    places: int
    """How many positions a masked-LM head answers at in one run; 0 where it answers at each."""


def own_graph(graph: Graph, heads: Iterable[FoundHead], wanted: Iterable[str]) -> OwnGraph:
    """Find what is wanted in a graph.

    Args:
        graph: of a checkpoint's .meta.
        heads: those of the checkpoint whose answers are among what is wanted.
        wanted: names of answers: "pooled_output", "probabilities", ….

    Raises:
        GraphFormatError: there is no BERT in it, or nothing that is wanted.
    """
    traced = trace_heads(graph)
    roles = input_roles(graph)
    batch, seq_len = input_sizes(graph, roles)
    known = _of_encoder(traced)
    missing: dict[str, str] = {}
    places = None
    for head in heads:
        one = next((found for found in traced.heads if found.weights == head.weights), None)
        for name in NAMES.get(head.kind, ()):
            answer = None if one is None else _answer(one, head.kind, name)
            if answer is not None:
                known[name] = answer
            else:
                what = "it does not read" if one is None else "it has another head over"
                missing[name] = f"{what} {head.weights}"
        if one is not None and head.kind == "masked-lm":
            places = one.positions
    if places is not None:
        roles = {**roles, PLACES: str(places)}
    instead = {dropout.output: dropout.input for dropout in traced.dropouts}
    answers = {}
    for name in wanted:
        if name not in known:
            missing.setdefault(name, f"it does not compute {name}")
            continue
        try:
            _check_fixed(graph, cut(graph, roles, [known[name].tensor], instead))
        except GraphFormatError as error:
            missing[name] = str(error).rstrip(".")
        else:
            answers[name] = known[name]
    if not answers:
        raise GraphFormatError("; ".join(dict.fromkeys(missing.values())) + ".")
    found = cut(graph, roles, [answer.tensor for answer in answers.values()], instead)
    number = 0 if places is None else (found.inputs[PLACES].shape or (0, 0))[-1]
    return OwnGraph(found, answers, {name: missing[name] for name in missing if name in wanted}, batch, seq_len, number)


def _of_encoder(traced: TracedGraph) -> dict[str, OwnAnswer]:
    found = {"sequence_output": OwnAnswer(traced.sequence, POSITIONS)}
    if traced.pooled is not None:
        found["pooled_output"] = OwnAnswer(traced.pooled, ROWS)
    return found


def _answer(head: TracedHead, kind: str, name: str) -> OwnAnswer | None:
    """An answer of a head as the graph has it, whatever kind it is taken for; None where it has none of that name."""
    logits = head.tensors["logits"]
    shape = POSITIONS if head.reads == SEQUENCE or (not head.reads and kind in _PER_POSITION) else ROWS
    if name in _ENDS and name not in head.tensors:
        return OwnAnswer(logits, ENDS, column=_ENDS.index(name)) if head.columns == len(_ENDS) else None
    if name in _ENDS:
        return OwnAnswer(head.tensors[name], ENDS)
    if name == "probabilities" and name not in head.tensors:
        return OwnAnswer(logits, shape, activation=_ACTIVATIONS[kind]) if kind in head.kinds else None
    if name == "score" and shape == ROWS:
        shape = SCORE
    return OwnAnswer(head.tensors.get(name, logits), shape)


def _check_fixed(graph: Graph, found: Cut) -> None:
    """Refuse a graph that answers by chance: what draws random numbers is no dropout that is known."""
    drawn = [name for name in found.nodes if "Random" in graph.nodes[name].op]
    if drawn:
        raise GraphFormatError(f"it draws random numbers ({drawn[0]}) in another way than a dropout.")
