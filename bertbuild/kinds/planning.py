"""From a request of any kind, and an inspected source, to the plan of its targets: the one way for all commands."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.errors import UsageError
from bertbuild.kinds import kind_of
from bertbuild.kinds.int8 import Calibration
from bertbuild.kinds.kind import Request
from bertbuild.plans.plan import TF2, File, Plan, Source


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
    plan = kind.plan
    return plan(source, request, probes) if calibration is None else plan(source, request, probes, calibration)


def named(plan: Plan, name: str) -> Plan:
    """The plan with its last target, which was asked for, called by another name."""
    return replace(plan, targets=(*plan.targets[:-1], replace(plan.targets[-1], name=name)))
