"""What a target gives: what --output stands for of a source, refusals, and what stages are told of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from bertbuild.checkpoint.head_judging import SAVE_AS, of_no_known_head
from bertbuild.errors import UsageError
from bertbuild.heads.answers import ANSWERS, GIVEN_BY, chosen, given, heads_for, parts_for, usual
from bertbuild.heads.found import as_parameter
from bertbuild.heads.head import Head
from bertbuild.heads.pooled import OUTPUT as POOLED
from bertbuild.plans.parts import OTHER
from bertbuild.plans.plan import Source


def outputs_of(source: Source, output: str) -> tuple[str, ...]:
    """The outputs of a target: those that --output names, else what is usual of the source.

    Raises:
        UsageError: the source has no variables for one of them, or nothing tells what is usual of it.
    """
    undecided = next((head for head in source.refused if head.default), None)
    if undecided is not None and not output:
        raise UsageError(
            f"{source.model}: {undecided.why}",
            next_step=f"{undecided.next_step} Or use --output pooled, without a head.",
        )
    outputs = chosen(output, source.heads, pooler=source.pooler)
    check_outputs(source, outputs)
    return outputs


def output_params(source: Source, outputs: Iterable[str]) -> dict[str, str]:
    """The parameters that tell a stage what to give, and of which heads."""
    names = tuple(outputs)
    heads = heads_for(names, source.heads)
    return {"output": ",".join(names)} | ({"heads": as_parameter(heads)} if heads else {})


def output_word(source: Source, output: str) -> str:
    """The outputs as a part of a target's name: none where --output is not given, or names pooled, which is usual."""
    outputs = chosen(output, source.heads, pooler=source.pooler)
    is_usual = outputs == (POOLED,) == usual(source.heads, pooler=source.pooler)
    return "" if not output or is_usual else "+".join(outputs)


def taken_parts(source: Source, output: str) -> set[str]:
    """The parts of a source that a target with these outputs has."""
    return parts_for(chosen(output, source.heads, pooler=source.pooler), source.heads)


def check_outputs(source: Source, outputs: Iterable[str]) -> None:
    """Refuse what a model has no variables for: each head of the table says what it needs.

    Raises:
        UsageError: it names what is missing, and what the model gives.
    """
    can = given(source.heads, pooler=source.pooler)
    lacking = [name for name in outputs if name not in can]
    if not lacking:
        return
    kinds = {found.kind for found in source.heads}
    heads = GIVEN_BY[lacking[0]]
    refused = next((one for one in source.refused if {head.name for head in heads} & set(one.kinds)), None)
    if refused is not None:
        raise UsageError(f"{source.model}: {refused.why}", next_step=refused.next_step)
    head = next((head for head in heads if head.name in kinds), heads[0])
    words = " and no ".join(dict.fromkeys(ANSWERS[name].words for name in lacking if head in GIVEN_BY[name]))
    others = " or ".join(f"--output {name}" for name in can)
    untold = (
        () if kinds or head.of_encoder else [name for part in source.parts if part.kind == OTHER for name in part.names]
    )
    instead = head.instead if head.instead and not kinds else f"Use {others}."
    raise UsageError(
        f"{source.model} has {_lacking(source, head)}, so it gives no {words}{of_no_known_head(untold)}.",
        next_step=f"{instead} Or {SAVE_AS}." if untold else instead,
    )


def _lacking(source: Source, head: Head) -> str:
    """What there is in the place of a head: nothing, a part of it, or variables that are not of its form."""
    if head.name in {found.kind for found in source.heads}:
        return f"no pooler, which the {head.what} reads"
    there = next((part.names for part in source.parts if part.kind == head.part), ())
    if not there or head.of_encoder:
        return f"no {head.what} ({head.mark})"
    missing = [name for name in head.variables(0, 0, 0) if not any(f"/{name}/" in f"/{own}/" for own in there)]
    if missing:
        return f"no whole {head.what}: there is {', '.join(there)}, but no {', '.join(missing)}"
    return f"no {head.what} of the usual form: {', '.join(there)} have other shapes"
