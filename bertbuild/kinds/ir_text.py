"""IRs with models beside them that take strings. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.errors import UsageError
from bertbuild.kinds.kind import Asked
from bertbuild.plans.carrying import SPECIAL_IN_TEXT, TEXT_STAGE
from bertbuild.plans.plan import File, Plan, Source, Step, Target


def with_text_models(plan: Plan, source: Source, probes: File, asked: Asked, *, special: bool = False) -> Plan:
    """The plan with each of its IRs made into one that has such models beside it; what they read is told to the steps
    by `plans.carrying.with_text`.

    Args:
        plan: its targets are IRs.
        source: what they are made of.
        probes: what they are asked.
        asked: how.
        special: whether special tokens in a text are such.

    Raises:
        UsageError: the source fixes sizes.
    """
    if source.batch or source.seq_len:
        raise UsageError(
            "--text makes models that take any number of texts of any length, and this graph is frozen for one size.",
            next_step="Freeze it again from the checkpoint (--checkpoint), which fixes none, or leave --text out.",
        )
    left = {target.answers for target in plan.targets}
    steps = [step for step in plan.steps if step.id not in left]
    targets = []
    kind, params = ("ir-text-special-", {SPECIAL_IN_TEXT: "true"}) if special else ("ir-text-", {})
    for target in plan.targets:
        name = target.name.replace("ir-", kind, 1)
        answers = asked.step(f"{name}-infer", name, probes)
        steps += [Step(id=name, stage=TEXT_STAGE, inputs={"ir": target.step}, params=params), answers]
        targets.append(_renamed(target, name, answers.id))
    return replace(plan, steps=tuple(steps), targets=tuple(targets))


def _renamed(target: Target, name: str, answers: str) -> Target:
    return replace(target, name=name, step=name, answers=answers)
