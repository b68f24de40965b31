from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan
from hypothesis import given, reject
from hypothesis import strategies as st

from bertbuild.errors import UsageError
from bertbuild.heads.answers import OUTPUTS
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.kinds.frozen import Frozen, plan_freeze
from bertbuild.kinds.int8 import Calibration
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import CONVERTERS, INT8, PRECISIONS, ROUTES, Ir
from bertbuild.plans import plan as plans
from bertbuild.plans.parts import Part
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import File, Source, plan_import
from bertbuild.stages import STAGES

CHECKPOINT = Source(
    model="bert",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="d-checkpoint"),
    gelu="erf",
    published=True,
)
TRAINED = replace(
    CHECKPOINT, model="trained", published=False, prefix="model.ckpt-20", heads=(classifier_of(3),), gelu="tanh"
)
RELU = replace(CHECKPOINT, model="relu", gelu=None, published=False)
FROZEN = Source(
    model="frozen",
    kind="frozen",
    file=File(path=PurePosixPath("/f.pb"), digest="d-frozen"),
    tensors="bert/pooler/dense/Tanh:0:pooled_output",
)
SHORT = replace(FROZEN, batch=8, seq_len=32)
CHOSEN = replace(FROZEN, tensors="loss/Softmax:0:scores,unstack:1:end", chosen="scores+end")


def headed(*names):
    """The checkpoint with these variables of a classifier head, which give no classes."""
    return replace(CHECKPOINT, parts=(Part(kind="classifier", what="classifier head", names=names),))


OF_CLASSIFIER = "pooled,sequence,all-layers,logits,probabilities"
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")
CALIBRATION = Calibration(examples=File(path=PurePosixPath("/prepared"), digest="d-prepared"))

PLANS = {
    "import": plan_import("minilm", File(path=PurePosixPath("/hf"), digest="d-hf")),
    "freeze": plan_freeze(CHECKPOINT, Frozen(), PROBES),
    "freeze_all_outputs_tanh": plan_freeze(TRAINED, Frozen(output=OF_CLASSIFIER, gelu="tanh"), PROBES),
    "freeze_relu": plan_freeze(RELU, Frozen(gelu="erf"), PROBES),
    "freeze_frozen": plan_freeze(FROZEN, Frozen(), PROBES),
    "ir": plan_ir(CHECKPOINT, Ir(), PROBES),
    "ir_both_precisions": plan_ir(CHECKPOINT, Ir(precision="fp32,fp16"), PROBES),
    "ir_fixed_shape": plan_ir(CHECKPOINT, Ir(batch_size=1, seq_len=128), PROBES),
    "ir_outputs_tanh": plan_ir(TRAINED, Ir(output="sequence,probabilities", gelu="tanh"), PROBES),
    "ir_frozen": plan_ir(FROZEN, Ir(), PROBES),
    "ir_openvino_2024": plan_ir(CHECKPOINT, Ir(openvino="2024.6", precision="fp32,fp16", batch_size=2), PROBES),
    "ir_static_published": plan_ir(CHECKPOINT, Ir(route="static"), PROBES),
    "ir_static_published_other_gelu": plan_ir(CHECKPOINT, Ir(route="static", gelu="tanh"), PROBES),
    "ir_static_trained": plan_ir(TRAINED, Ir(route="static", precision="fp32,fp16"), PROBES),
    "ir_mo": plan_ir(CHECKPOINT, Ir(converter="mo"), PROBES),
    "ir_mo_trained": plan_ir(TRAINED, Ir(converter="mo", output="pooled"), PROBES),
    "ir_mo_reshapeable": plan_ir(CHECKPOINT, Ir(converter="mo", route="reshapeable"), PROBES),
    "ir_mo_reshapeable_sized": plan_ir(
        CHECKPOINT, Ir(converter="mo", route="reshapeable", batch_size=2, seq_len=64), PROBES
    ),
    "ir_mo_reshapeable_short": plan_ir(
        replace(CHECKPOINT, max_positions=64), Ir(converter="mo", route="reshapeable"), PROBES
    ),
    "ir_mo_frozen_sized": plan_ir(SHORT, Ir(converter="mo"), PROBES),
    "ir_frozen_chosen": plan_ir(CHOSEN, Ir(precision="fp32,fp16", converter="mo"), PROBES),
    "ir_frozen_half": plan_ir(replace(FROZEN, half=True), Ir(precision="fp32,fp16"), PROBES),
    "ir_mo_frozen": plan_ir(FROZEN, Ir(converter="mo", precision="fp16"), PROBES),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_route_has_the_plan_on_record(name):
    golden_plan(f"plan_{name}", PLANS[name])


STATIC = "The static route keeps the .meta's shape; --batch-size and --seq-len do not apply."
BUILT_IN = "A frozen graph's outputs and gelu are built in; --output and --gelu cannot change them."
REFUSED = {
    "an unknown precision": (
        CHECKPOINT,
        lambda: Ir(precision="fp32,int4"),
        "--precision must be one of fp32, fp16, int8, int8-weights, int4-weights (got 'int4'); did you mean \"int8\"?",
    ),
    "an empty precision": (
        CHECKPOINT,
        lambda: Ir(precision=""),
        "--precision must be one of fp32, fp16, int8, int8-weights, int4-weights (got '').",
    ),
    "an unknown route": (
        CHECKPOINT,
        lambda: Ir(route="short"),
        "--route must be one of direct, reshapeable, static, savedmodel (got 'short').",
    ),
    "an unknown converter": (
        CHECKPOINT,
        lambda: Ir(converter="onnx"),
        "--converter must be one of ovc, mo (got 'onnx').",
    ),
    "an unknown gelu": (
        CHECKPOINT,
        lambda: Ir(gelu="quick"),
        "--gelu must be one of auto, erf, tanh (got 'quick').",
    ),
    "an unknown output": (
        CHECKPOINT,
        lambda: Ir(output="pooled,logit"),
        f"--output must be one of {', '.join(OUTPUTS)} (got 'logit'); did you mean \"logits\"?",
    ),
    "probabilities without a head": (
        CHECKPOINT,
        lambda: Ir(output="probabilities"),
        "bert has no classifier head (output_weights), so it gives no probabilities.",
    ),
    "probabilities of half a head": (
        headed("output_weights"),
        lambda: Ir(output="probabilities"),
        "bert has no whole classifier head: there is output_weights, but no output_bias, so it gives no probabilities.",
    ),
    "probabilities of the other half": (
        headed("output_bias/ExponentialMovingAverage"),
        lambda: Ir(output="probabilities"),
        (
            "bert has no whole classifier head: there is output_bias/ExponentialMovingAverage, but no output_weights, "
            "so it gives no probabilities."
        ),
    ),
    "probabilities of a head of another form": (
        headed("output_weights", "output_bias"),
        lambda: Ir(output="probabilities"),
        (
            "bert has no classifier head of the usual form: output_weights, output_bias have other shapes, "
            "so it gives no probabilities."
        ),
    ),
    "the static route from a frozen graph": (
        FROZEN,
        lambda: Ir(route="static"),
        "The static route starts from a checkpoint; a frozen graph is not one.",
    ),
    "an output of a frozen graph": (FROZEN, lambda: Ir(output="sequence"), BUILT_IN),
    "the gelu of a frozen graph": (FROZEN, lambda: Ir(gelu="erf"), BUILT_IN),
    "the static route with a batch": (CHECKPOINT, lambda: Ir(route="static", batch_size=2), STATIC),
    "the static route with a length": (CHECKPOINT, lambda: Ir(route="static", seq_len=64), STATIC),
    "the Model Optimizer's usual route with an output": (
        CHECKPOINT,
        lambda: Ir(converter="mo", output="sequence"),
        "The Model Optimizer's command line cuts the .meta at the pooler; it gives no sequence.",
    ),
    "a length that a frozen graph does not have": (
        SHORT,
        lambda: Ir(seq_len=64),
        "--seq-len 64, but the graph is frozen for 32: that is built into its inputs.",
    ),
    "another length for the Model Optimizer": (
        SHORT,
        lambda: Ir(seq_len=128, converter="mo"),
        "--seq-len 128, but the graph is frozen for 32: that is built into its inputs.",
    ),
    "a batch that a frozen graph does not have": (
        SHORT,
        lambda: Ir(batch_size=1),
        "--batch-size 1, but the graph is frozen for 8: that is built into its inputs.",
    ),
    "a batch below 0": (
        CHECKPOINT,
        lambda: Ir(batch_size=-1),
        "--batch-size must be at least 0 (got -1).",
    ),
    "a length below 0": (
        CHECKPOINT,
        lambda: Ir(seq_len=-5),
        "--seq-len must be at least 0 (got -5).",
    ),
    "a length beyond the model's": (
        CHECKPOINT,
        lambda: Ir(seq_len=513),
        "--seq-len 513 is longer than the model's position table of 512.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused_with_a_sentence_and_a_next_step(name):
    source, request, sentence = REFUSED[name]
    with pytest.raises(UsageError) as raised:
        plan_ir(source, request(), PROBES)
    assert str(raised.value) == sentence
    assert raised.value.next_step
    assert raised.value.exit_code == 2


def test_freeze_refuses_what_build_ir_refuses():
    with pytest.raises(UsageError, match="no classifier head"):
        plan_freeze(CHECKPOINT, Frozen(output="probabilities"), PROBES)


def request_of(precision, **words):
    """A request; what int8 is calibrated on is said where that is asked for."""
    try:
        return Ir(precision=precision, calibration="/prepared" if INT8 in precision.split(",") else "", **words)
    except UsageError:  # a route that cannot make it
        reject()


REQUESTS = st.builds(
    request_of,
    precision=st.lists(st.sampled_from(PRECISIONS), min_size=1, max_size=3, unique=True).map(",".join),
    route=st.sampled_from(("", *ROUTES)),
    converter=st.sampled_from(CONVERTERS),
    batch_size=st.integers(0, 4),
    seq_len=st.sampled_from((0, 64, 512)),
    output=st.lists(st.sampled_from(OF_CLASSIFIER.split(",")), unique=True).map(",".join),
    gelu=st.sampled_from(plans.GELU_FORMS),
)
SOURCES = st.sampled_from((CHECKPOINT, TRAINED, RELU, FROZEN))


def planned(source, request):
    try:
        return plan_ir(source, request, PROBES, CALIBRATION if INT8 in request.precisions else None)
    except UsageError:
        return None


@given(SOURCES, REQUESTS)
def test_every_plan_can_be_run_in_its_order_and_has_no_step_in_vain(source, request):
    plan = planned(source, request)
    if plan is None:
        return
    made = set()
    for step in plan.steps:
        assert step.id not in made
        assert step.stage in STAGES
        assert all(isinstance(needed, File) or needed in made for needed in step.inputs.values())
        assert all(isinstance(value, str) for value in step.params.values())
        made.add(step.id)
    used = {needed for step in plan.steps for needed in step.inputs.values() if isinstance(needed, str)}
    used |= {name for target in plan.targets for name in (target.step, target.reference, target.answers)}
    assert used == made
    assert [target.precision for target in plan.targets] == list(request.precisions)


@given(SOURCES, REQUESTS, REQUESTS)
def test_two_targets_of_one_name_are_the_same_target(source, one, other):
    """Or a build would take the name from another build's result."""
    plans_made = [plan for plan in (planned(source, one), planned(source, other)) if plan is not None]
    if len(plans_made) < 2:
        return
    named = [{target.name: chain(plan, target.step) for target in plan.targets} for plan in plans_made]
    for name in named[0].keys() & named[1].keys():
        assert named[0][name] == named[1][name]


def chain(plan, step_id):
    """A step with all that leads to it."""
    step = next(step for step in plan.steps if step.id == step_id)
    inputs = {name: chain(plan, needed) if isinstance(needed, str) else needed for name, needed in step.inputs.items()}
    return step.stage, step.params, inputs


def test_all_that_openvino_does_is_done_by_the_version_that_is_asked_for():
    for plan in (PLANS["ir_openvino_2024"], plan_ir(TRAINED, Ir(openvino="2024.6", route="savedmodel"), PROBES)):
        elsewhere = {step.stage for step in plan.steps if step.backend}
        assert elsewhere == {plan.step(plan.targets[0].step).stage, "openvino-infer"}
        assert {step.backend for step in plan.steps if step.backend} == {"openvino@2024.6"}
        assert all("openvino2024.6" in target.name for target in plan.targets)


def test_the_usual_version_is_not_named():
    assert plan_ir(CHECKPOINT, Ir(openvino="2026.4"), PROBES) == PLANS["ir"]


def test_what_the_model_optimizer_makes_is_asked_by_its_own_version():
    plan = plan_ir(CHECKPOINT, Ir(converter="mo"), PROBES)
    (target,) = plan.targets
    assert target.name == "ir-mo-static-fp32"
    assert [backend_of(plan.step(step)) for step in (target.step, target.answers)] == ["mo", "openvino@2024.6"]
    assert plan_ir(CHECKPOINT, Ir(converter="mo", openvino="2024.6"), PROBES) == plan


def test_a_record_of_a_version_that_is_now_the_usual_one_is_of_that_one():
    step = replace(PLANS["ir"].step(PLANS["ir"].targets[0].step), backend="openvino@2026.4")
    assert backend_of(step) == "openvino"


def test_a_version_of_openvino_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(
        UsageError, match=r"--openvino must be one of 2026.4, 2024.6 \(got '2026.5'\); did you mean \"2026.4\"\?"
    ):
        Ir(openvino="2026.5")
    with pytest.raises(UsageError, match=r"--converter mo is the Model Optimizer of OpenVINO 2024.6; 2026.4 has none"):
        plan_ir(CHECKPOINT, Ir(openvino="2026.4", converter="mo"), PROBES)
