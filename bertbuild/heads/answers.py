"""What follows from the table of heads: the choices of --output, what each needs, what a model gives, and by what it is
judged. For the host: stages are told by `--output` and `--heads`.
"""

from __future__ import annotations

from collections.abc import Iterable

from bertbuild.heads.found import FoundHead
from bertbuild.heads.head import Answer, Head
from bertbuild.heads.pooled import OUTPUT as POOLED
from bertbuild.heads.pooled import PART as POOLER
from bertbuild.heads.rows import HEADS
from bertbuild.heads.sequence import OUTPUT as SEQUENCE

ANSWERS: dict[str, Answer] = {}
"""By what --output calls them; several heads may give one, under one name and held to one column."""
GIVEN_BY: dict[str, tuple[Head, ...]] = {}
"""What --output calls an answer → the heads that give it."""
for _head in HEADS.values():
    for _answer in _head.answers:
        ANSWERS.setdefault(_answer.output, _answer)
        GIVEN_BY[_answer.output] = (*GIVEN_BY.get(_answer.output, ()), _head)
OUTPUTS = tuple(ANSWERS)
"""The choices of --output."""
LOGITS = "logits"
"""The one choice that stands for another: for the logits of a pre-training head that is the only head."""

ENCODER = (POOLED, SEQUENCE)
"""What a model without a head gives where its format always has both."""

EXPORTED: dict[str, Answer] = {
    answer.output: answer
    for head in sorted(HEADS.values(), key=lambda head: head.of_encoder)
    for answer in head.answers
    if answer.exported
}
"""The answers that a SavedModel of TensorFlow 2 can give, by what --output calls them; the encoder's come last."""

OUTPUT_OF_PART = {
    head.part: "--output "
    + ",".join([answer.output for answer in head.answers if answer.usual] or [head.answers[0].output])
    for head in HEADS.values()
    if head.part
}
"""The flag that takes a part of a source."""


def task_head(found: Iterable[FoundHead]) -> FoundHead | None:
    """Of the heads of a model the first one for a task; None where it has none."""
    return next((head for head in found if HEADS[head.kind].of_task), None)


def given(found: Iterable[FoundHead], *, pooler: bool) -> tuple[str, ...]:
    """All that a model can give, as --output calls it.

    Args:
        found: its heads.
        pooler: whether it has one.
    """
    parts = {head.kind for head in found} | ({POOLER} if pooler else set())
    return tuple(name for name, heads in GIVEN_BY.items() if any(head.parts <= parts for head in heads))


def usual(found: Iterable[FoundHead], *, pooler: bool) -> tuple[str, ...]:
    """What a model gives where nothing else is asked for: its heads' answers, else pooled output, else the sequence.

    A head of pre-training is no task: published checkpoints have them.
    """
    heads = tuple(found)
    names = [answer.output for head in heads for answer in HEADS[head.kind].answers if answer.usual]
    return tuple(dict.fromkeys(names)) or ((POOLED,) if pooler else (SEQUENCE,))


def chosen(output: str, found: Iterable[FoundHead], *, pooler: bool) -> tuple[str, ...]:
    """The outputs that --output stands for: what it names, else what is usual.

    "logits" are those of a head of pre-training where that is the only head.
    """
    heads = tuple(found)
    if not output:
        return usual(heads, pooler=pooler)
    own = [answer.output for head in heads for answer in HEADS[head.kind].answers]
    only = own[0] if len(own) == 1 and task_head(heads) is None else LOGITS
    return tuple(dict.fromkeys(only if name == LOGITS else name for name in output.split(",")))


def heads_for(outputs: Iterable[str], found: Iterable[FoundHead]) -> tuple[FoundHead, ...]:
    """The heads of a model that these outputs need."""
    kinds = {head.name for name in outputs for head in GIVEN_BY.get(name, ())}
    return tuple(head for head in found if head.kind in kinds)


def parts_for(outputs: Iterable[str], found: Iterable[FoundHead]) -> set[str]:
    """The parts of a source that a target with these outputs has, besides the encoder."""
    names = tuple(outputs)
    parts = {head.part for name in names for head in GIVEN_BY.get(name, ()) if head.of_encoder and head.part}
    return parts.union(*(HEADS[head.kind].parts for head in heads_for(names, found)))


def answered(heads: Iterable[FoundHead]) -> tuple[str, ...]:
    """All that a model gives that always has both of `ENCODER`, and these heads, as --output calls it."""
    return ENCODER + tuple(answer.output for head in heads for answer in HEADS[head.kind].answers)


def tolerance_of(tensor: str) -> str:
    """The column of a row of tolerances that an output, by its name in signature.json, is held to."""
    return next((answer.tolerance for answer in ANSWERS.values() if answer.tensor == tensor), tensor)
