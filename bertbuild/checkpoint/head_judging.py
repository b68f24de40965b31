"""Of what kind each head of a checkpoint is, by all the evidence there is; and which of them are refused, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from bertbuild.checkpoint.head_evidence import (
    BARE,
    KINDS,
    Evidence,
    Known,
    concerned,
    evidence_of,
    is_bare,
    traced_of,
)
from bertbuild.errors import UsageError
from bertbuild.heads.classifier import PART as CLASSIFIER
from bertbuild.heads.classifier import WEIGHTS
from bertbuild.heads.found import BY_COLUMN, FoundHead
from bertbuild.heads.masked_lm import TIED_WEIGHTS
from bertbuild.heads.named import heads_named
from bertbuild.heads.rows import HEADS
from bertbuild.plural import are, number_of

SHOWN: Final = 2
"""How many of the variables that are of no known head are named."""
SAVE_AS: Final = f"save a head's variables as {WEIGHTS} [C, H] and output_bias [C]"
_OF_OTHER_NAMES: Final = f"Freeze that graph and give it with --frozen, which keeps its outputs; or {SAVE_AS}."
_WITHOUT_HEAD: Final = "Use --output pooled or --output sequence, which need no head."


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedHead:
    """A head whose outputs cannot be had.

    Attributes:
        weights: its variable.
        kinds: those it could be of: whose outputs are refused because of it.
        why: a sentence.
        next_step: what to do.
        default: whether it also leaves open what is built where no output is named.
    """

    weights: str
    kinds: Sequence[str]
    why: str
    next_step: str
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedHeads:
    """The heads of a checkpoint.

    Attributes:
        found: of a known kind.
        refused: those that are not.
        problems: sentences on what contradicts itself.
        warnings: sentences on kinds that nothing in the checkpoint tells, and on heads of no known kind.
    """

    found: tuple[FoundHead, ...] = ()
    refused: tuple[RefusedHead, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def without(self, kind: str, why: str) -> JudgedHeads:
        """The same with the heads of a kind refused, for a reason."""
        left = [
            RefusedHead(weights=head.weights, kinds=(kind,), why=why, next_step=_WITHOUT_HEAD)
            for head in self.found
            if head.kind == kind
        ]
        found = tuple(head for head in self.found if head.kind != kind)
        return replace(self, found=found, refused=(*self.refused, *left))

    def to_json(self) -> dict[str, Any]:
        """For programs: what it holds but the problems, which `Inspection` has."""
        return {
            "found": [head._asdict() for head in self.found],
            "refused": [asdict(one) for one in self.refused],
            "warnings": list(self.warnings),
        }


def of_no_known_head(others: Iterable[str]) -> str:
    """A clause, to be added to another, on variables that are neither BERT's nor of a head; "" where there are none."""
    names = sorted(others)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"; {', '.join(names[:SHOWN])}{more} {are(len(names))} of no known head" if names else ""


class ContradictionError(Exception):
    """Two pieces of evidence that are not both true; `told`: whether one of them is what the user says."""

    def __init__(self, head: FoundHead, one: Evidence, other: Evidence) -> None:
        self.told = one.told or other.told
        super().__init__(f"{head.weights} cannot be both: {one.why}, but {other.why}.")


def judge_kinds(known: Known) -> JudgedHeads:
    """The heads of a checkpoint, each of the kind that the evidence tells.

    Raises:
        UsageError: what the user says is contradicted, or there is no head that could be of that kind.
    """
    named = heads_named(known.shapes)
    meant = concerned(named, known.told) if known.told else []
    if known.told and not meant:
        raise _no_such(known.told, named, known)
    found: list[FoundHead] = []
    refused: list[RefusedHead] = []
    problems: list[str] = []
    warnings: list[str] = []
    warnings += _second(known)
    for head in named:
        try:
            judged = _judged(head, known, known.told if head in meant else "")
        except ContradictionError as error:
            if error.told:
                raise UsageError(str(error), next_step="Leave --head out, or name the kind that it is.") from None
            problems.append(f"{error} Remove the file that is of another checkpoint.")
            continue
        if isinstance(judged, RefusedHead):
            refused.append(judged)
            continue
        found.append(judged)
        warnings += _of_kind(judged, known)
        problems += _of_labels(judged, known)
    refused += _of_other_names(known, named)
    warnings += [f"{one.why} {one.next_step}" for one in refused]
    return JudgedHeads(found=tuple(found), refused=tuple(refused), problems=tuple(problems), warnings=tuple(warnings))


def _of_other_names(known: Known, named: Sequence[FoundHead]) -> Iterator[RefusedHead]:
    """The heads that the graph computes of variables with other names than google-research/bert's."""
    by_name = {known.own.get(name, name) for head in named for name in (head.weights, head.bias)}
    scopes = tuple(scope for row in HEADS.values() for scope in row.scopes)
    ours = {own for name, own in known.own.items() if name.startswith(scopes)}  # of these others tell
    for one in known.traced:
        there = {name for name in (one["weights"], one["bias"]) if name}
        if there & (by_name | ours) or not there <= known.others:
            continue
        what = f"a head of the kind {' or '.join(one['kinds'])}" if one["kinds"] else "a head of no known kind"
        why = f"The graph has {what} whose variables have other names: {one['why']}. It is not built from."
        yield RefusedHead(weights=one["weights"], kinds=tuple(one["kinds"]) or BARE, why=why, next_step=_OF_OTHER_NAMES)


def _no_such(told: str, named: Sequence[FoundHead], known: Known) -> UsageError:
    """The error for a kind that is told where no head has variables that it could have."""
    there = ", ".join(head.weights for head in named) or "none"
    return UsageError(
        f"--head says {told}, but the checkpoint has no variables of such a head; its heads: {there}"
        f"{of_no_known_head(known.others)}.",
        next_step=f"Leave --head out, or {SAVE_AS if known.others else 'give the checkpoint that is meant'}.",
    )


def _judged(head: FoundHead, known: Known, told: str) -> FoundHead | RefusedHead:
    misshapen = _misshapen(head, known)
    kinds = BARE if is_bare(head) else (head.kind,)
    if misshapen:
        return RefusedHead(weights=head.weights, kinds=kinds, why=misshapen, next_step=_WITHOUT_HEAD)
    unknown = _unknown(head, known)
    if unknown and told:
        raise UsageError(f"--head says {told}, but: {unknown}", next_step=f"Leave --head out. {_WITHOUT_HEAD}")
    if unknown:
        return RefusedHead(weights=head.weights, kinds=kinds, why=unknown, next_step=_WITHOUT_HEAD)
    allowed: Sequence[str] = KINDS
    asked: list[Evidence] = []
    narrowed: list[Evidence] = []
    for evidence in evidence_of(head, known, told=told):
        left = tuple(kind for kind in allowed if kind in evidence.kinds)
        if not left:
            others = [one for one in asked if not set(one.kinds) & set(evidence.kinds)] or asked
            raise ContradictionError(head, max(others, key=lambda one: one.tells), evidence)
        if evidence.tells and (len(left) < len(allowed) or not narrowed):  # a shape may have left no other kind
            narrowed.append(evidence)
        allowed = left
        asked.append(evidence)
    return _settled(head, known, allowed, narrowed)


def _settled(
    head: FoundHead, known: Known, allowed: Sequence[str], narrowed: Sequence[Evidence]
) -> FoundHead | RefusedHead:
    """The head as the one kind that is left; as a classifier, where nothing tells; or refused."""
    traced = traced_of(head, known)
    if len(allowed) == 1 and narrowed:
        return head._replace(kind=allowed[0], why="; ".join(one.why for one in narrowed))
    if len(allowed) == 1 or (CLASSIFIER in allowed and head.labels > 1 and not (traced and traced["unknown"])):
        kind = allowed[0] if len(allowed) == 1 else CLASSIFIER
        return head._replace(kind=kind, why=f"nothing tells what {head.weights} is of", assumed=True)
    shape = f"{head.weights} has {number_of(head.labels, 'row')}"
    seen = f"{traced['why']}: there is {traced['unknown']}" if traced and traced["unknown"] else ""
    return RefusedHead(
        weights=head.weights,
        kinds=tuple(allowed),
        why=f"Nothing tells of what kind the head is: {seen or shape}.",
        next_step=f"Say which it is: {' or '.join(f'--head {kind}' for kind in allowed)}.",
        default=True,
    )


def _of_kind(head: FoundHead, known: Known) -> Iterator[str]:
    """A sentence on a kind that nothing in the checkpoint tells."""
    if head.assumed:
        yield (
            f"Nothing tells of what kind the head is: {head.weights} is taken for that of a {head.kind}. "
            f"Say which it is: --head {head.kind}."
        )
    elif head.why == f"--head says {known.told}" and known.told:
        yield f"Nothing but --head tells of what kind the head is: {head.weights} is taken for that of {known.told}."


def _of_labels(head: FoundHead, known: Known) -> Iterator[str]:
    """A sentence on a head that has not as many columns as the task has labels."""
    labels = known.task.get("labels")
    if isinstance(labels, list) and labels and is_bare(head) and len(labels) != head.labels:
        rows, names = number_of(head.labels, "row"), number_of(len(labels), "label")
        yield f"{head.weights} has {rows}, but task.json names {names}. Remove the file that is of another checkpoint."


def _misshapen(head: FoundHead, known: Known) -> str:
    """A sentence on weights that are not [C, H] of a bias [C]."""
    if head.weights == TIED_WEIGHTS:
        return ""
    weights, bias = known.shapes[head.weights], known.shapes[head.bias]
    hidden = known.hidden
    shape = (hidden, bias[0]) if head.kind in BY_COLUMN else (bias[0], hidden)
    if hidden is None or weights == shape:
        return ""
    wanted = list(shape)
    turned = weights == shape[::-1]
    how = ": it is transposed" if turned else ""
    return f"{head.weights} has shape {list(weights)}, and with {head.bias} {list(bias)} it must be {wanted}{how}."


def _unknown(head: FoundHead, known: Known) -> str:
    """A sentence on layers that no known head has; also where the graph has other variables of this name."""
    traced = traced_of(head, known)
    if traced is None or traced["kinds"]:
        return ""
    return f"The head of {head.weights} is not of a known kind: {traced['why']}; there is {traced['unknown']}."


def _second(known: Known) -> Iterator[str]:
    """A sentence on another head, of a name that TensorFlow numbers."""
    others = [name for name in known.shapes if name.startswith(f"{WEIGHTS}_")]
    if others and WEIGHTS in known.shapes:
        yield f"The checkpoint has more than one head: {WEIGHTS} is taken, and {', '.join(others)} is left out."
