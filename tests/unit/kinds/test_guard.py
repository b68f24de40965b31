"""--guard: targets whose graph checks its inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from bertbuild.errors import UsageError
from bertbuild.kinds.guard import asked_outside
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.onnx import Onnx, plan_onnx
from bertbuild.plans.plan import File, Source

SEEN = Source(model="bert", kind="checkpoint", file=File(path=PurePosixPath("/c"), digest="c"), gelu="erf", unknown=100)
PROBES = File(path=PurePosixPath("/probes.json"), digest="p")
OUTSIDE = File(path=PurePosixPath("/outside.json"), digest="o")
KINDS = pytest.mark.parametrize(("plan_of", "request_of"), [(plan_ir, Ir), (plan_onnx, Onnx)], ids=["ir", "onnx"])


@KINDS
def test_the_stage_is_told_the_number_of_unk_where_it_is_asked_for_alone(plan_of, request_of):
    plain, guarded = (plan_of(SEEN, request_of(guard=asked), PROBES) for asked in (False, True))
    assert "guard" not in plain.step(plain.targets[0].step).params
    assert guarded.step(guarded.targets[0].step).params["guard"] == "100"
    name = plain.targets[0].name
    assert guarded.targets[0].name == name.replace("-fp32", "-guard-fp32")
    assert plain == plan_of(replace(SEEN, unknown=None), request_of(), PROBES)


@KINDS
def test_the_target_is_asked_outside_the_range_and_the_source_within(plan_of, request_of):
    plan = asked_outside(plan_of(SEEN, request_of(guard=True), PROBES), OUTSIDE)
    (target,) = plan.targets
    assert plan.step(target.answers).inputs["probes"] == OUTSIDE
    assert plan.step(target.reference).inputs["probes"] == PROBES


@pytest.mark.parametrize("more", [{"route": "reshapeable"}, {"route": "savedmodel"}, {"converter": "mo"}])
def test_a_graph_that_is_converted_gets_no_guard(more):
    with pytest.raises(UsageError, match="direct route"):
        Ir(guard=True, **more)


def test_nor_does_a_frozen_graph():
    frozen = replace(SEEN, kind="frozen", tensors="bert/pooler/dense/Tanh:0:pooled_output")
    with pytest.raises(UsageError, match="direct route"):
        plan_ir(frozen, Ir(guard=True), PROBES)
