"""From a request of any kind, and an inspected source, to the plan of its targets: the one way for all commands."""

from __future__ import annotations

from dataclasses import replace

from bertbuild.plans.int8 import Calibration, plan_irs
from bertbuild.plans.neuron import (
    CompileRequest,
    ExportRequest,
    NeuronRequest,
    plan_export,
    plan_neuron_compile,
    plan_neuron_ready,
)
from bertbuild.plans.plan import File, FreezeRequest, IrRequest, Plan, Source, plan_freeze
from bertbuild.plans.tf2 import Tf2Request, plan_convert_tf2

Request = FreezeRequest | IrRequest | ExportRequest | NeuronRequest | CompileRequest | Tf2Request


def longest_probe(request: Request) -> int:
    """The only sequence length that a target takes, or 0: no probe is longer."""
    match request:
        case ExportRequest():
            return request.seq_len
        case NeuronRequest():
            return request.export.seq_len
        case CompileRequest():
            return request.ready.export.seq_len
        case _:
            return 0


def plan_targets(source: Source, request: Request, probes: File, calibration: Calibration | None = None) -> Plan:
    """The plan of a request's targets; `calibration` is what int8 is calibrated on, None where that is not asked for.

    Raises:
        UsageError: the request contradicts itself or the source.
    """
    match request:
        case FreezeRequest():
            return plan_freeze(source, request, probes)
        case IrRequest():
            return plan_irs(source, request, probes, calibration)
        case ExportRequest():
            return plan_export(source, request, probes)
        case NeuronRequest():
            return plan_neuron_ready(source, request, probes)
        case CompileRequest():
            return plan_neuron_compile(source, request, probes)
        case Tf2Request():
            return plan_convert_tf2(source, request, probes)


def named(plan: Plan, name: str) -> Plan:
    """The plan with its last target, which was asked for, called by another name."""
    return replace(plan, targets=(*plan.targets[:-1], replace(plan.targets[-1], name=name)))
