"""From a request of any kind, and an inspected source, to the plan of its targets: the one way for all commands."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.errors import UsageError
from bertbuild.heads.found import from_parameter
from bertbuild.kinds import kind_of
from bertbuild.kinds.int8 import Calibration
from bertbuild.kinds.kind import Request
from bertbuild.plans.family_reference import check_family
from bertbuild.plans.own_reference import by_own_graph
from bertbuild.plans.plan import TF2, File, Plan, Source, Target


def longest_probe(request: Request) -> int:
    """The only sequence length that a target takes, or 0: no probe is longer."""
    return kind_of(request).seq_len(request)


def plan_targets(source: Source, request: Request, probes: File, calibration: Calibration | None = None) -> Plan:
    """The plan of a request's targets; `calibration` is what int8 is calibrated on, None where that is not asked for.

    Raises:
        UsageError: the request contradicts the source.
    """
    kind = kind_of(request)
    if source.kind in TF2 and "tf2" not in kind.command.sources:
        raise UsageError(
            f"{source.model} is a TensorFlow 2 model, of which {kind.command.name} makes nothing.",
            next_step="Make a checkpoint of TensorFlow 1 of it first: invoke convert-tf1 --tf2 FOLDER.",
        )
    if not kind.families:
        check_family(source, kind.command.name)
    given = () if calibration is None else (calibration,)
    return by_own_graph(_marked(kind.plan(source, request, probes, *given), source), source)


def _marked(plan: Plan, source: Source) -> Plan:
    """The plan with each target marked that has a head of a kind that nothing tells."""
    assumed = {head.weights: head.kind for head in source.heads if head.assumed}

    def kind(target: Target) -> str:
        steps = plan.needed(target.step, target.reference)
        heads = [head for step in steps for head in from_parameter(step.params.get("heads", ""))]
        return next((assumed[head.weights] for head in heads if head.weights in assumed), "")

    targets = plan.targets
    return replace(plan, targets=tuple(replace(one, assumed=kind(one)) for one in targets)) if assumed else plan


def named(plan: Plan, name: str) -> Plan:
    """The plan with its last target, which was asked for, called by another name."""
    return replace(plan, targets=(*plan.targets[:-1], replace(plan.targets[-1], name=name)))
