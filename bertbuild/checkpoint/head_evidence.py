"""What there is that tells of what kind a head is, in the order in which it is asked.

google-research/bert and its forks give classifier, multi-label, regression and token heads the same variables
(`output_weights`, `output_bias`), so names do not tell the kind, and no file has to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bertbuild.checkpoint.variables import Shape, has_pooler
from bertbuild.heads.classifier import PART as CLASSIFIER
from bertbuild.heads.classifier import WEIGHTS
from bertbuild.heads.found import FoundHead
from bertbuild.heads.masked_lm import PART as MASKED_LM
from bertbuild.heads.next_sentence import PART as NEXT_SENTENCE
from bertbuild.heads.replaced_token import PART as REPLACED_TOKEN
from bertbuild.heads.rows import HEADS
from bertbuild.heads.span import PART as SPAN
from bertbuild.plural import number_of

MULTI_LABEL, REGRESSION, TOKENS = "multi-label", "regression", "tokens"
KINDS: Final = tuple(head.name for head in HEADS.values() if not head.of_encoder)
"""What --head can say."""
OF_POOLED: Final = (CLASSIFIER, MULTI_LABEL, REGRESSION)
BARE: Final = (*OF_POOLED, TOKENS, SPAN)
"""What variables without a scope can be of."""
TASK_TYPES: Final = {
    "classification": CLASSIFIER,
    "multi-label": MULTI_LABEL,
    "regression": REGRESSION,
    "tagging": TOKENS,
    "squad": SPAN,
}
"""What task.json calls a task → the kind of head that learns it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a checkpoint.

    Attributes:
        shapes: google-research/bert's name → shape of the variables of the encoder and heads.
        own: google-research/bert's name → the checkpoint's own.
        others: its other variables.
        hidden: the hidden size; None where it is not known.
        traced: the heads of the graph in the .meta, as `Inspection.to_json` has them.
        task: what task.json says; empty without one.
        imported: what the import of a Hugging Face folder says of its head: "kind" and "why"; empty where it says none.
        told: the kind that the user says, or "".
    """

    shapes: Mapping[str, Shape]
    own: Mapping[str, str] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    hidden: int | None = None
    traced: Sequence[Mapping[str, Any]] = ()
    task: Mapping[str, Any] = field(default_factory=dict)
    imported: Mapping[str, Any] = field(default_factory=dict)
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a head from one place.

    Attributes:
        kinds: those that the head can be of, by what is there.
        why: it as a clause, for people: "task.json says regression".
        told: whether it is the user who says so.
        tells: whether it is about the kind; a shape only rules kinds out.
    """

    kinds: Sequence[str]
    why: str
    told: bool = False
    tells: bool = True


def traced_of(head: FoundHead, known: Known) -> Mapping[str, Any] | None:
    """The head of the .meta that has the variables of one of the checkpoint's; None where it has none."""
    names = {known.own.get(name, name) for name in (head.weights, head.bias)}
    names |= {head.bias} if head.kind == MASKED_LM else {head.weights, head.bias}
    if head.kind == MASKED_LM:
        names.discard(known.own.get(head.weights, head.weights))  # the embeddings, which a graph may multiply for more
    return next((one for one in known.traced if {one["weights"], one["bias"]} & names), None)


def evidence_of(head: FoundHead, known: Known, *, told: str) -> Iterator[Evidence]:
    """What tells of a head that was found by the names of its variables, in the order in which it is asked.

    Args:
        head: by the first kind that has such variables.
        known: of the checkpoint.
        told: the kind that the user says the head is of, or "".
    """
    bare = is_bare(head)
    if bare:
        yield _of_shape(head, known)
    traced = traced_of(head, known)
    if traced is not None and traced["kinds"]:
        yield Evidence(kinds=tuple(traced["kinds"]), why=traced["why"])
    task = _of_task(known) if head.kind not in (MASKED_LM, NEXT_SENTENCE, REPLACED_TOKEN) else None
    if task is not None:
        yield task
    if bare and known.imported.get("kind"):
        yield Evidence(kinds=(known.imported["kind"],), why=known.imported["why"])
    if not bare:
        yield Evidence(kinds=(head.kind,), why=f"the variables are called {head.weights} and {head.bias}")
    if told:
        yield Evidence(kinds=(told,), why=f"--head says {told}", told=True)


def _of_shape(head: FoundHead, known: Known) -> Evidence:
    """What a bare head can be by its number of columns, and whether there is a pooler to read."""
    columns = head.labels
    pooled = OF_POOLED if has_pooler(known.shapes) else ()
    kinds = [kind for kind in (*pooled, TOKENS, SPAN) if (kind != REGRESSION or columns == 1)]
    kinds = [kind for kind in kinds if kind != SPAN or columns == 2]
    why = f"{head.weights} has {number_of(columns, 'row')}" + ("" if pooled else ", and there is no pooler")
    return Evidence(kinds=tuple(kinds), why=why, tells=False)


def _of_task(known: Known) -> Evidence | None:
    """What task.json says; one of an older training has no field `head`."""
    kind = known.task.get("head") or TASK_TYPES.get(str(known.task.get("task_type", "")))
    if kind is None and known.task.get("task"):
        kind = SPAN if str(known.task["task"]).upper().startswith("SQUAD") else CLASSIFIER
    return None if kind is None else Evidence(kinds=(str(kind),), why=f"task.json says {kind}")


def is_bare(head: FoundHead) -> bool:
    """Whether a head's variables have no scope that tells its kind."""
    return head.weights == WEIGHTS


def concerned(named: Sequence[FoundHead], told: str) -> list[FoundHead]:
    """The heads that the user speaks of: of the very kind, else those whose names tell none, else any for a task."""
    named_so = [head for head in named if head.kind == told and not is_bare(head)]
    bare = [head for head in named if is_bare(head)] if told in BARE else []
    return named_so or bare or [head for head in named if told in BARE and head.kind in BARE]
