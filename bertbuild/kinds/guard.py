"""Targets whose graph checks its own inputs: what an id outside the vocabulary is taken for, and how they are asked.

Pure, as `plans` are.
"""

from __future__ import annotations

from dataclasses import replace

from bertbuild.plans.plan import File, Plan, Source

GUARD = "guard"
"""In the names of such targets, and their stage's parameter: the number of [UNK]."""


def guard_params(source: Source, guard: bool) -> dict[str, str]:
    """The parameter of a stage that writes such a graph; none where it is not asked for, or the source was not seen."""
    return {GUARD: str(source.unknown)} if guard and source.unknown is not None else {}


def asked_outside(plan: Plan, probes: File) -> Plan:
    """The plan with its targets asked these probes, outside the range; the source is asked what they are taken for."""
    answers = {target.answers for target in plan.targets}
    steps = (
        replace(step, inputs={**step.inputs, "probes": probes}) if step.id in answers else step for step in plan.steps
    )
    return replace(plan, steps=tuple(steps))
