"""Which TensorFlow the steps of a plan run in, and what a verdict says of that."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan

from bertbuild.errors import UsageError
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.kinds.evaluation import EvaluateRequest, plan_evaluate
from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import ROUTES, Ir
from bertbuild.kinds.measured import Judging, of_prepared
from bertbuild.kinds.neuron_ready import NeuronReady, plan_neuron_ready
from bertbuild.kinds.saved_model import SavedModel, plan_export
from bertbuild.kinds.tf2 import Tf2, plan_convert_tf2
from bertbuild.plans.convert_tf1 import plan_convert_tf1
from bertbuild.plans.finetuning import FinetuneRequest, plan_finetune
from bertbuild.plans.placing import (
    BOTH,
    OF_1,
    OF_2,
    REFERENCES,
    backend_of,
    bound_to_1,
    can_move,
    placed,
    reference_of,
)
from bertbuild.plans.plan import File, Source, Step
from bertbuild.plans.prepare_data import Prepared
from bertbuild.stages import STAGES, image_code

FOLDER = File(path=PurePosixPath("/c"), digest="d-checkpoint")
CHECKPOINT = Source(model="bert", kind="checkpoint", file=FOLDER, gelu="erf")
TRAINED = Source(model="trained", kind="checkpoint", file=FOLDER, gelu="erf", heads=(classifier_of(2),))
FROZEN = Source(model="frozen", kind="frozen", file=File(path=PurePosixPath("/f.pb"), digest="d-frozen"))
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")
TWO = Source(model="tf2", kind="tf2-checkpoint", prefix="", file=FOLDER, gelu="tanh")

PLANS = {
    "freeze": plan_freeze(CHECKPOINT, Frozen(), PROBES),
    "freeze_frozen": plan_freeze(FROZEN, Frozen(), PROBES),
    "ir": plan_ir(CHECKPOINT, Ir(precision="fp32,fp16"), PROBES),
    "ir_mo": plan_ir(CHECKPOINT, Ir(converter="mo"), PROBES),
    "ir_savedmodel": plan_ir(CHECKPOINT, Ir(route="savedmodel"), PROBES),
    "export": plan_export(TRAINED, SavedModel(), PROBES),
    "convert_tf2": plan_convert_tf2(CHECKPOINT, Tf2(), PROBES),
    "convert_tf1": plan_convert_tf1(TWO, PROBES),
}
READY = plan_neuron_ready(CHECKPOINT, NeuronReady(), PROBES)


@pytest.mark.parametrize("reference", [OF_2, BOTH])
@pytest.mark.parametrize("name", ["ir", "convert_tf1"])
def test_placed_plans_are_those_on_record(name, reference):
    there = placed(PLANS[name], reference)
    golden_plan(f"placed_{reference}_{name}", there)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_of_1_15_is_the_plan_itself(name):
    assert placed(PLANS[name], OF_1) is PLANS[name]


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_of_2_20_needs_no_tensorflow_1(name):
    there = placed(PLANS[name], OF_2)
    assert "tf1" not in {backend_of(step) for step in there.steps}
    assert [step.id for step in there.steps] == [step.id for step in PLANS[name].steps]


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_of_both_is_made_as_that_of_1_15_and_asked_once_more(name):
    plan, there = PLANS[name], placed(PLANS[name], BOTH)
    (more,) = (step for step in there.steps if step not in plan.steps)
    assert (more.stage, more.backend) == ("tf1-infer", "tf2")
    assert [step for step in there.steps if step is not more] == list(plan.steps)
    for target in there.targets:
        assert more.id in target.second.values()
        assert set(target.asked) >= {target.reference, target.answers, more.id}


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", PLANS)
def test_what_a_plan_is_judged_by_can_be_read_from_it(name, reference):
    there = placed(PLANS[name], reference)
    assert {reference_of(there, target) for target in there.targets} == {reference}


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_to_an_ir_goes_without_tensorflow_1(route):
    there = placed(plan_ir(CHECKPOINT, Ir(route=route), PROBES), OF_2)
    assert "tf1" not in {backend_of(step) for step in there.steps}


@pytest.mark.parametrize("reference", [OF_2, BOTH])
def test_what_needs_1_15_is_not_placed_elsewhere(reference):
    with pytest.raises(UsageError, match=r"neuron-ready runs in TensorFlow 1\.15 alone") as raised:
        placed(READY, reference)
    assert "--reference" in raised.value.next_step
    assert placed(READY, OF_1) is READY
    assert bound_to_1(READY).stage == "neuron-ready"
    assert bound_to_1(PLANS["ir"]) is None


def test_fine_tuning_as_upstream_runs_it_needs_1_15():
    assert bound_to_1(plan_finetune(CHECKPOINT, FOLDER, None, FinetuneRequest())).stage == "finetune"


def test_a_reference_of_another_name_is_refused():
    with pytest.raises(UsageError, match=r"--reference must be one of 1\.15, 2\.20, both \(got '2\.15'\)"):
        placed(PLANS["ir"], "2.15")


def test_an_evaluation_of_2_20_needs_no_tensorflow_1():
    prepared = Prepared(
        task="MRPC", task_type="classification", labels=("0", "1"), max_seq_length=64, source=FOLDER, training=None
    )
    request = EvaluateRequest(targets=("frozen", "ir-fp32", "tf2"))
    there = placed(plan_evaluate(TRAINED, of_prepared(prepared, Judging()), request, PROBES).plan, OF_2)
    assert "tf1" not in {backend_of(step) for step in there.steps}


def test_the_stages_that_move_are_those_of_tensorflow_1_but_for_what_needs_it():
    of_1 = {spec.name for spec in STAGES.values() if spec.backend == "tf1"}
    moving = {name for name in STAGES if can_move(Step(id=name, stage=name, inputs={}))}
    assert of_1 - moving == {"neuron-ready", "finetune"}
    assert moving <= of_1
    carried = {name for name in image_code("tf2") if name.startswith("tf1/stages/") and "/_" not in name}
    assert carried == {f"tf1/stages/{STAGES[name].command}.py" for name in moving}
    assert not [name for name in image_code("openvino") if "/stages/" in name]
