"""The own graph of a checkpoint of another family than BERT, asked beside the implementation that answers for it. Pure.

Of a BERT one stage does both: google-research/bert's code answers there for what the graph in the .meta does not.
"""

from __future__ import annotations

from dataclasses import replace

from bertbuild.heads.answers import heads_for
from bertbuild.heads.found import as_parameter, tensor_name
from bertbuild.plans.plan import TOGETHER, Plan, Source, Step, Target

OWN = "own-graph"
"""What the step is called."""


def by_own_graph(plan: Plan, source: Source) -> Plan:
    """The plan with each target judged by its source's own graph first, and by its planned reference as well.

    A training graph takes its own sequence length alone, and gives the answers that it has; the planned reference is
    asked for all. The plan stays as it is where the graph can be asked for nothing that is wanted.
    """
    if source.own is None:
        return plan
    steps, targets = list(plan.steps), []
    for target in plan.targets:
        step = _asked(plan, target, source)
        if step is None:
            targets.append(target)
            continue
        if step not in steps:
            steps.insert(steps.index(plan.step(target.reference)) + 1, step)
        second = {"reference": target.reference, "answers": target.answers}
        targets.append(replace(target, reference=step.id, second=second))
    return replace(plan, steps=tuple(steps), targets=tuple(targets))


def _asked(plan: Plan, target: Target, source: Source) -> Step | None:
    """The step that asks the graph for what the target's reference is asked for, as far as it gives that."""
    own = source.own
    told: dict[str, str] = {}
    for step in (plan.step(target.reference), *reversed(plan.needed(target.reference))):
        told = {**step.params, **told}
    if own is None or target.second or told.get("gelu") not in (None, source.gelu):
        return None
    outputs = tuple(output for output in told.get("output", "").split(",") if tensor_name(output) in own.answers)
    if not outputs:
        return None
    heads = heads_for(outputs, source.heads)
    gelu = {"gelu": source.gelu} if source.gelu else {}
    return Step(
        id=OWN,
        stage="tf1-infer",
        inputs={"checkpoint": own.file, "probes": plan.step(target.answers).inputs["probes"]},
        params={
            "prefix": own.prefix,
            "output": ",".join(outputs),
            "reference": "own-graph",
            **gelu,
            **({"heads": as_parameter(heads)} if heads else {}),
            **TOGETHER,
        },
    )
