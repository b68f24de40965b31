"""A TensorFlow 2 SavedModel: its parameters; `tf2` has the plan. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.kinds.kind import Asked, Evaluated, Kind
from bertbuild.kinds.measured import Measured
from bertbuild.kinds.tf2 import (
    CONVERT_TF2,
    OF_PRETRAINING,
    OF_TASKS,
    TAKEN_BY,
    TAKEN_OF_FAMILY,
    Tf2Model,
    plan_convert_tf2,
    taken,
)
from bertbuild.plans.plan import File, Plan, Source
from bertbuild.plans.tolerance import FLOAT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tf2SavedModel(Tf2Model):
    """What a TensorFlow 2 SavedModel is to be like."""

    format = "savedmodel"
    flag = "saved-model"
    heads = OF_TASKS | OF_PRETRAINING


def _evaluated(source: Source, _data: Measured, probes: File, _int8_for: str) -> Plan:
    return plan_convert_tf2(source, Tf2SavedModel(), probes)


KIND = Kind(
    name="tf2-savedmodel",
    about="a TensorFlow 2 SavedModel",
    command=CONVERT_TF2,
    chosen={"format": Tf2SavedModel.format},
    request=Tf2SavedModel,
    plan=plan_convert_tf2,
    stage="tf2-saved-model",
    asked=Asked(stage="tf2-infer", flag=Tf2SavedModel.flag),
    tolerances={"fp32": FLOAT32},
    families=True,
    taken=taken,
    taken_by=TAKEN_BY,
    taken_of_family=TAKEN_OF_FAMILY,
    evaluated=(Evaluated(name="tf2", plan=_evaluated),),
)
