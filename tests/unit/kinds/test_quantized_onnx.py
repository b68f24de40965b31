"""convert-onnx --precision int8: its plan, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from bertbuild.errors import UsageError
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.kinds.int8 import Calibration, asks_int8
from bertbuild.kinds.onnx import Onnx, plan_onnx
from bertbuild.plans.plan import File, Source

SOURCE = Source(
    model="bert",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="c"),
    gelu="erf",
    heads=(classifier_of(2),),
)
PROBES = File(path=PurePosixPath("/probes.json"), digest="p")
TRAIN, DEV = (File(path=PurePosixPath("/prepared"), digest=digest) for digest in ("train", "dev"))
INT8 = Onnx(precision="int8", calibration="/prepared")


def test_it_is_made_of_the_fp32_model_and_of_examples():
    plan = plan_onnx(SOURCE, INT8, PROBES, Calibration(examples=TRAIN))
    (target,) = plan.targets
    made = plan.step(target.step)
    assert (target.name, target.precision, made.stage) == ("onnx-int8", "int8", "onnx-quantize")
    assert made.inputs == {"onnx": "onnx-fp32", "examples": TRAIN}
    assert made.params == {"examples-used": "300", "model": "bert", "int8-for": "any"}
    assert plan.step(target.answers).inputs["onnx"] == "onnx-int8"
    assert [step.id for step in plan.steps if step.stage == "onnx-infer"] == ["onnx-int8-infer"]


def test_a_bound_the_processors_and_other_precisions_are_in_it():
    request = replace(INT8, precision="fp32,int8", max_drop="0.01", int8_for="vnni", guard=True)
    plan = plan_onnx(replace(SOURCE, unknown=1), request, PROBES, Calibration(examples=TRAIN, validation=DEV))
    assert [target.name for target in plan.targets] == ["onnx-guard-fp32", "onnx-guard-drop0.01-vnni-int8"]
    made = plan.step(plan.targets[1].step)
    assert (made.params["max-drop"], made.params["int8-for"], made.inputs["validation"]) == ("0.01", "vnni", DEV)


def test_other_precisions_have_the_plans_that_they_had():
    plan = plan_onnx(SOURCE, Onnx(precision="fp32,fp16"), PROBES)
    assert [step.id for step in plan.steps] == [
        *("reference", "onnx-fp32", "onnx-fp32-infer", "onnx-fp16", "onnx-fp16-infer")
    ]
    assert not asks_int8(Onnx())
    assert asks_int8(INT8)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"precision": "int8"}, "int8 needs examples of what the model will see"),
        ({"calibration": "/prepared"}, "Only int8 is calibrated"),
        ({"precision": "int8", "calibration_text": "t", "max_drop": "0.1"}, "needs labelled examples"),
    ],
)
def test_what_does_not_go_together_is_refused_as_of_an_ir(asked, sentence):
    with pytest.raises(UsageError, match=sentence):
        Onnx(**asked)
