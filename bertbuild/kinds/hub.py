"""A TensorFlow 2 hub module: its parameters; `tf2` has the plan. Pure, as `plans` are."""

from __future__ import annotations

from dataclasses import dataclass

from bertbuild.kinds.kind import Asked, Kind
from bertbuild.kinds.tf2 import CONVERT_TF2, TAKEN_BY, Tf2Model, plan_convert_tf2, taken
from bertbuild.plans.tolerance import FLOAT32


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub(Tf2Model):
    """What a hub module is to be like."""

    format = "hub"
    flag = "hub"
    heads = frozenset()


KIND = Kind(
    name="hub",
    about="a TensorFlow 2 hub module",
    command=CONVERT_TF2,
    chosen={"format": Hub.format},
    request=Hub,
    plan=plan_convert_tf2,
    stage="tf2-saved-model",
    asked=Asked(stage="tf2-infer", flag=Hub.flag),
    tolerances={"fp32": FLOAT32},
    families=True,
    taken=taken,
    taken_by=TAKEN_BY,
)
