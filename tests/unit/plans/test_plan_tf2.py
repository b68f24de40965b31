from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.errors import UsageError
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.kinds.hub import Hub
from bertbuild.kinds.tf2 import FORMATS, Tf2, plan_convert_tf2
from bertbuild.kinds.tf2_savedmodel import Tf2SavedModel
from bertbuild.plans.convert_tf1 import plan_convert_tf1
from bertbuild.plans.plan import File, Source
from bertbuild.stages import STAGES

BARE = Source(
    model="bert",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="d-checkpoint"),
    gelu="erf",
    published=True,
)
TRAINED = replace(
    BARE, model="trained", published=False, prefix="model.ckpt-20", heads=(classifier_of(3),), gelu="tanh"
)
RELU = replace(BARE, model="relu", gelu=None)
PROBES = File(path=PurePosixPath("/probes.json"), digest="d-probes")
CONVERTED = Source(
    model="tf2", kind="tf2-checkpoint", file=File(path=PurePosixPath("/t"), digest="d-tf2"), gelu="erf", prefix="ckpt-2"
)
ELSEWHERE = replace(
    CONVERTED,
    heads=(classifier_of(3),),
    config=File(path=PurePosixPath("/bert_config.json"), digest="d-config"),
    vocab=File(path=PurePosixPath("/vocab.txt"), digest="d-vocab"),
)
SAVED = replace(CONVERTED, kind="tf2-saved-model", prefix="", heads=(classifier_of(2),))
HUB = replace(CONVERTED, kind="tf2-hub", prefix="", gelu=None)

PLANS = {
    "convert_tf2": plan_convert_tf2(BARE, Tf2(), PROBES),
    "convert_tf2_trained_keras_bert": plan_convert_tf2(TRAINED, Tf2(format="keras-bert"), PROBES),
    "convert_tf2_trained_names_erf": plan_convert_tf2(TRAINED, Tf2(format="keras-names", gelu="erf"), PROBES),
    "convert_tf2_relu_pretrainer": plan_convert_tf2(RELU, Tf2(format="pretrainer"), PROBES),
    "convert_tf2_savedmodel": plan_convert_tf2(BARE, Tf2SavedModel(), PROBES),
    "convert_tf2_trained_savedmodel": plan_convert_tf2(TRAINED, Tf2SavedModel(), PROBES),
    "convert_tf2_trained_hub": plan_convert_tf2(TRAINED, Hub(), PROBES),
    "convert_tf1": plan_convert_tf1(CONVERTED, PROBES),
    "convert_tf1_files_elsewhere": plan_convert_tf1(ELSEWHERE, PROBES),
    "convert_tf1_savedmodel": plan_convert_tf1(SAVED, PROBES),
    "convert_tf1_hub": plan_convert_tf1(HUB, PROBES),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_way_to_tensorflow_2_and_back_has_the_plan_on_record(name):
    golden_plan(f"plan_{name}", PLANS[name])


REFUSED = {
    "an unknown format": (
        {"format": "h5"},
        "--format must be one of encoder, keras-bert, keras-names, pretrainer (got 'h5').",
    ),
    "no format": (
        {"format": ""},
        "--format must be one of encoder, keras-bert, keras-names, pretrainer (got '').",
    ),
    "an unknown gelu": ({"gelu": "sigmoid"}, "--gelu must be one of auto, erf, tanh (got 'sigmoid')."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant_is_refused_with_a_sentence_and_a_next_step(name):
    words, sentence = REFUSED[name]
    with pytest.raises(UsageError) as raised:
        Tf2(**words)
    assert str(raised.value) == sentence
    assert raised.value.next_step
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("kind", ["frozen", "saved-model"])
def test_only_a_checkpoint_is_converted(kind):
    with pytest.raises(UsageError, match="Only a checkpoint can be converted"):
        plan_convert_tf2(replace(BARE, kind=kind), Tf2(), PROBES)


GELU = st.sampled_from(("auto", "erf", "tanh"))
REQUESTS = st.one_of(
    st.builds(Tf2, format=st.sampled_from(FORMATS), gelu=GELU),
    st.builds(Tf2SavedModel, gelu=GELU),
    st.builds(Hub, gelu=GELU),
)
SOURCES = st.sampled_from((BARE, TRAINED, RELU))
BACK = st.sampled_from((CONVERTED, ELSEWHERE, SAVED, HUB)).map(lambda source: plan_convert_tf1(source, PROBES))
FORTH = st.builds(lambda source, request: plan_convert_tf2(source, request, PROBES), SOURCES, REQUESTS)


@given(st.one_of(BACK, FORTH))
def test_every_plan_can_be_run_in_its_order_and_has_no_step_in_vain(plan):
    made = set()
    for step in plan.steps:
        assert step.id not in made
        assert step.stage in STAGES
        assert all(isinstance(needed, File) or needed in made for needed in step.inputs.values())
        assert all(isinstance(value, str) for value in step.params.values())
        made.add(step.id)
    used = {needed for step in plan.steps for needed in step.inputs.values() if isinstance(needed, str)}
    (target,) = plan.targets
    assert used | {target.step, target.reference, target.answers, *target.told.values()} == made


def part(plan, stage):
    return next(step for step in plan.steps if step.stage == stage)


@given(SOURCES, REQUESTS)
def test_both_sides_of_the_gate_answer_with_one_form_of_gelu(source, request_):
    plan = plan_convert_tf2(source, request_, PROBES)
    wanted = None if source.gelu is None else source.gelu if request_.gelu == "auto" else request_.gelu
    assert part(plan, "tf1-infer").params.get("gelu") == wanted
    built = part(plan, "tf2-infer" if isinstance(request_, Tf2) else "tf2-saved-model")
    (target,) = plan.targets
    assert (plan.step(target.answers) if built.stage == "tf2-infer" else built).params.get("gelu") == wanted
    assert part(plan, "convert-tf2").params.get("gelu") == wanted


@given(SOURCES, REQUESTS)
def test_a_classifier_is_judged_by_its_probabilities_where_the_format_has_its_head(source, request_):
    plan = plan_convert_tf2(source, request_, PROBES)
    with_head = source.heads and request_.format in ("keras-bert", "savedmodel")
    assert part(plan, "tf1-infer").params["output"] == ("probabilities" if with_head else "pooled,sequence")


@given(SOURCES, REQUESTS, REQUESTS)
def test_two_targets_of_one_name_are_the_same_target(source, one, other):
    """Or a build would take the name from another build's result."""
    plans = [plan_convert_tf2(source, request, PROBES) for request in (one, other)]
    assert plans[0] == plans[1] or plans[0].targets[0].name != plans[1].targets[0].name
