"""What follows from the table of heads: the choices of --output, what each needs, what each is judged by."""

from __future__ import annotations

from collections.abc import Iterable

from bertbuild.heads.found import FoundHead
from bertbuild.heads.head import Answer
from bertbuild.heads.rows import HEADS

ANSWERS: dict[str, Answer] = {answer.output: answer for head in HEADS.values() for answer in head.answers}
"""By what --output calls them."""
OUTPUTS = tuple(ANSWERS)
"""The choices of --output."""

_OF_TASKS = tuple(head for head in HEADS.values() if head.answers and not head.of_encoder)
_OWN = tuple(head for head in HEADS.values() if head.of_encoder)
EXPORTED: dict[str, Answer] = {
    answer.output: answer for head in (*_OF_TASKS, *_OWN) for answer in head.answers if answer.exported
}
"""The answers that a SavedModel can give, by what --output calls them; those of heads for a task come first."""

PARTS_OF_OUTPUT = {answer.output: head.parts for head in HEADS.values() for answer in head.answers}
"""The parts of a source that an output is made of, besides the encoder."""
OUTPUT_OF_PART = {
    head.part: f"--output {head.answers[0].output}" for head in HEADS.values() if head.part and head.answers
}
"""The flag that takes a part of a source."""


def task_head(found: Iterable[FoundHead]) -> FoundHead | None:
    """Of the heads of a model the one for its task; None where it has none."""
    kinds = {head.name for head in _OF_TASKS}
    return next((head for head in found if head.kind in kinds), None)


def usual(has: Iterable[str]) -> tuple[str, ...]:
    """What a model is made for: what its head for a task answers, else all that its encoder gives and can be exported.

    Args:
        has: the parts it has besides its encoder.
    """
    parts = frozenset(has)
    for head in _OF_TASKS:
        if head.part in parts:
            return tuple(answer.output for answer in head.answers)
    return tuple(answer.output for head in _OWN if head.parts <= parts for answer in head.answers if answer.exported)


def tolerance_of(tensor: str) -> str:
    """The column of a row of tolerances that an output, by its name in signature.json, is held to."""
    return next((answer.tolerance for answer in ANSWERS.values() if answer.tensor == tensor), tensor)
