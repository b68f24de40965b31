"""What the outputs of somebody else's SavedModel answer: of which head each is, and by which tables.

What an output is called tells nothing. It is known where the graph gives it as a head's answer, or the encoder's own
(`head_tracing`); one that a layer more, a CRF or another activation makes is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from bertbuild.graph.graphdef import Graph
from bertbuild.graph.head_tracing import TracedHead, trace_heads
from bertbuild.graph.node import GraphFormatError, TensorRef, parse_ref
from bertbuild.graph.saved_model import SavedModel
from bertbuild.graph.tracing import unwrapped
from bertbuild.heads import masked_lm, next_sentence, pooled, sequence

_OF_COLUMNS = {"logits": "logits", "probabilities": "probabilities"}
_ANSWERS = {
    "classifier": _OF_COLUMNS,
    "multi-label": _OF_COLUMNS,
    "tokens": _OF_COLUMNS,
    "regression": {"logits": "score"},
    "span": {"start_logits": "start_logits", "end_logits": "end_logits"},
    masked_lm.PART: {"logits": "masked-lm-logits"},
    next_sentence.PART: {"logits": "next-sentence-logits"},
}
"""Kind of head → what the tracer calls a tensor → what --output calls it."""


class Answer(NamedTuple):
    """What an output is."""

    kind: str
    """The head's name, or what --output calls the encoder's own answer; empty where it is of no known kind."""
    output: str
    """What --output calls it; empty likewise."""
    head: Optional[TracedHead]  # noqa: UP045  (evaluated by Python 3.7)
    """Its head; None of the encoder's own."""
    why: str
    """How it is known, or why it is not, in words."""


class Output(NamedTuple):
    """An output of a signature, and what it answers."""

    name: str
    """What the signature calls it."""
    tensor: str
    answer: Answer


class Known(NamedTuple):
    """The outputs of a signature."""

    taken: dict[str, Output]
    """By what --output calls them."""
    left: dict[str, str]
    """Those of no known kind, by what the signature calls them → what they are."""


def known_outputs(model: SavedModel) -> Known:
    """The outputs of a SavedModel that a head, or the encoder itself, answers.

    Raises `GraphFormatError` when there is none, or when two would have one name.
    """
    answers = _answers(model.graph)
    known: dict[str, Output] = {}
    left: dict[str, str] = {}
    for name, port in sorted(model.outputs.items()):
        answer = _answer(model.graph, answers, parse_ref(port.tensor))
        if not answer.output:
            left[name] = answer.why
        elif answer.output not in known:
            known[answer.output] = Output(name, port.tensor, answer)
        elif known[answer.output].answer != answer:
            one = known[answer.output].name
            raise GraphFormatError(f"The SavedModel's outputs {one} and {name} are both {answer.output}, of two heads.")
    if not known:
        told = "; ".join(f"{name} is {why}" for name, why in left.items()) or "it has none"
        raise GraphFormatError(f"None of the SavedModel's outputs is of a known kind: {told}.")
    return Known(known, left)


def _answer(graph: Graph, answers: dict[TensorRef, Answer], ref: TensorRef) -> Answer:
    if ref.node not in graph.nodes:
        return _unknown("a tensor that the graph does not have")
    core = unwrapped(graph, ref)
    return answers.get(core) or _unknown(f"made by {graph.nodes[core.node].op}, which is no head's answer")


def _answers(graph: Graph) -> dict[TensorRef, Answer]:
    """What there is behind the encoder, by tensor, as it is before it is reshaped or cast."""
    traced = trace_heads(graph)
    found = {
        unwrapped(graph, traced.sequence): Answer(sequence.OUTPUT, sequence.OUTPUT, None, "the last hidden states")
    }
    if traced.pooled is not None:
        found[unwrapped(graph, traced.pooled)] = Answer(pooled.OUTPUT, pooled.OUTPUT, None, "the pooler's output")
    for head in traced.heads:
        found.update((unwrapped(graph, ref), answer) for ref, answer in _of_head(head))
    return found


def _of_head(head: TracedHead) -> Iterator[tuple[TensorRef, Answer]]:
    """The tensors of a head, and what each answers."""
    # Of two kinds that the graph leaves open the logits are the same, and nothing else is taken of either.
    kind = head.kinds[0] if head.kinds else ""
    why = f"its graph {head.does}"
    if not kind:
        why = f"of no known head: {head.unknown}"
    elif head.positions is not None:
        why = "a masked LM's answer for the positions of another input alone"
    elif not head.bias:
        why = "a dense layer's without a bias"
    else:
        for called, ref in head.tensors.items():
            output = _ANSWERS[kind].get(called, "")
            if output:
                yield ref, Answer(kind, output, head, why)
            elif called != "logits" or kind != "span":
                yield ref, _unknown(f"the {called} of a {kind} head, which has no such answer")
        return
    for ref in head.tensors.values():
        yield ref, _unknown(why)


def _unknown(why: str) -> Answer:
    return Answer("", "", None, why)
