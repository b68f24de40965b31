from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan
from hypothesis import assume, given
from hypothesis import strategies as st

from bertbuild.errors import UsageError
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.heads.found import FoundHead, as_parameter
from bertbuild.kinds.hub import Hub
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
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
TAGS = replace(TRAINED, model="tags", heads=(classifier_of(9)._replace(kind="tokens"),))
SPANS = replace(
    TRAINED, model="spans", heads=(FoundHead("span", "cls/squad/output_weights", "cls/squad/output_bias", 2),)
)
WORDS = FoundHead("masked-lm", "bert/embeddings/word_embeddings", "cls/predictions/output_bias", 9)
SENTENCES = FoundHead("next-sentence", "cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias", 2)
PUBLISHED = replace(BARE, model="published", heads=(WORDS, SENTENCES))
SEVERAL = replace(TRAINED, model="several", heads=(classifier_of(3), WORDS))
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
    "convert_tf2_tags": plan_convert_tf2(TAGS, Tf2(format="keras-bert"), PROBES),
    "convert_tf2_published_pretrainer": plan_convert_tf2(PUBLISHED, Tf2(format="pretrainer"), PROBES),
    "convert_tf2_published_savedmodel": plan_convert_tf2(PUBLISHED, Tf2SavedModel(), PROBES),
    "convert_tf2_spans_savedmodel": plan_convert_tf2(SPANS, Tf2SavedModel(), PROBES),
    "convert_tf2_several_savedmodel": plan_convert_tf2(SEVERAL, Tf2SavedModel(), PROBES),
    "convert_tf1": plan_convert_tf1(CONVERTED, PROBES),
    "convert_tf1_files_elsewhere": plan_convert_tf1(ELSEWHERE, PROBES),
    "convert_tf1_savedmodel": plan_convert_tf1(SAVED, PROBES),
    "convert_tf1_hub": plan_convert_tf1(HUB, PROBES),
}


def part(plan, stage):
    return next(step for step in plan.steps if step.stage == stage)


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


@pytest.mark.parametrize(
    ("source", "output", "format_", "default"),
    [
        (BARE, "", "encoder", None),
        (PUBLISHED, "", "encoder", None),
        (PUBLISHED, "masked-lm-logits", "pretrainer", "masked-lm-logits"),
        (TRAINED, "", "keras-bert", "probabilities"),
        (TRAINED, "pooled", "encoder", None),
        (TRAINED, "logits,pooled", "keras-bert", "logits,pooled"),
        (SPANS, "", "keras-bert", "start_logits,end_logits"),
        (SEVERAL, "probabilities,masked-lm-logits", "keras-names", "probabilities,masked-lm-logits"),
    ],
)
def test_an_ir_by_way_of_a_saved_model_is_of_one_with_the_heads_it_needs(source, output, format_, default):
    plan = plan_ir(source, Ir(route="savedmodel", output=output), PROBES)
    converted = part(plan, "convert-tf2").params
    assert converted["format"] == format_
    assert part(plan, "tf2-saved-model").params.get("output") == default
    wanted = part(plan, "ir").params["output"]
    assert wanted == (default or "pooled")
    assert part(plan, "tf1-infer").params["output"] == wanted
    assert converted.get("heads") == part(plan, "tf1-infer").params.get("heads")


def test_the_models_of_a_plain_build_are_those_of_convert_tf2():
    for source in (TRAINED, TAGS, SPANS):
        ir, model = (plan_ir(source, Ir(route="savedmodel"), PROBES), plan_convert_tf2(source, Tf2SavedModel(), PROBES))
        for stage in ("convert-tf2", "tf2-saved-model"):
            assert part(ir, stage) == part(model, stage)


@pytest.mark.parametrize("source", [TRAINED, TAGS, SPANS])
def test_a_pretrainer_has_no_head_for_a_task_and_the_format_that_has_one_is_named(source):
    with pytest.raises(UsageError, match=rf"{source.model} has a head for a task \({source.heads[0].kind}\)") as raised:
        plan_convert_tf2(source, Tf2(format="pretrainer"), PROBES)
    assert "--format keras-bert" in raised.value.next_step


@pytest.mark.parametrize(
    ("source", "format_", "answers"),
    [
        (BARE, "encoder", "pooled,sequence"),
        (TAGS, "keras-bert", "pooled,sequence,logits,probabilities"),
        (SPANS, "keras-bert", "pooled,sequence,start_logits,end_logits"),
        (PUBLISHED, "pretrainer", "pooled,sequence,masked-lm-logits,next-sentence-logits"),
        (SEVERAL, "keras-names", "pooled,sequence,logits,probabilities,masked-lm-logits"),
    ],
)
def test_a_checkpoint_is_judged_by_the_encoder_and_all_that_its_heads_answer(source, format_, answers):
    plan = plan_convert_tf2(source, Tf2(format=format_), PROBES)
    assert part(plan, "tf1-infer").params["output"] == answers
    heads = as_parameter(source.heads)
    assert part(plan, "convert-tf2").params.get("heads", "") == heads
    assert part(plan, "tf1-infer").params.get("heads", "") == heads


@pytest.mark.parametrize(
    ("source", "format_", "default", "answers"),
    [
        (BARE, "encoder", None, "pooled,sequence"),
        (TRAINED, "keras-bert", "probabilities", "probabilities,logits"),
        (SPANS, "keras-bert", "start_logits,end_logits", "start_logits,end_logits"),
        (PUBLISHED, "pretrainer", None, "pooled,sequence,masked-lm-logits,next-sentence-logits"),
        (SEVERAL, "keras-names", "probabilities", "probabilities,logits,masked-lm-logits"),
    ],
)
def test_a_saved_model_gives_its_heads_answer_and_never_pretrainings_unless_asked(source, format_, default, answers):
    plan = plan_convert_tf2(source, Tf2SavedModel(), PROBES)
    assert part(plan, "convert-tf2").params["format"] == format_
    assert part(plan, "tf2-saved-model").params.get("output") == default
    assert part(plan, "tf1-infer").params["output"] == answers
    assert part(plan, "tf2-infer").params == {}


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
SOURCES = st.sampled_from((BARE, RELU, PUBLISHED, TRAINED, TAGS, SPANS, SEVERAL))
BACK = st.sampled_from((CONVERTED, ELSEWHERE, SAVED, HUB)).map(lambda source: plan_convert_tf1(source, PROBES))
PAIRS = st.tuples(SOURCES, REQUESTS).filter(lambda pair: pair[1].format != "pretrainer" or pair[0].head is None)
FORTH = PAIRS.map(lambda pair: plan_convert_tf2(*pair, PROBES))


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
    assert used | {target.step, target.reference, target.answers} == made


@given(PAIRS)
def test_both_sides_of_the_gate_answer_with_one_form_of_gelu(pair):
    source, request_ = pair
    plan = plan_convert_tf2(source, request_, PROBES)
    wanted = None if source.gelu is None else source.gelu if request_.gelu == "auto" else request_.gelu
    assert part(plan, "tf1-infer").params.get("gelu") == wanted
    built = part(plan, "tf2-infer" if isinstance(request_, Tf2) else "tf2-saved-model")
    (target,) = plan.targets
    assert (plan.step(target.answers) if built.stage == "tf2-infer" else built).params.get("gelu") == wanted
    assert part(plan, "convert-tf2").params.get("gelu") == wanted


@given(PAIRS, REQUESTS)
def test_two_targets_of_one_name_are_the_same_target(pair, other):
    """Or a build would take the name from another build's result."""
    source, one = pair
    assume(other.format != "pretrainer" or source.head is None)
    plans = [plan_convert_tf2(source, request, PROBES) for request in (one, other)]
    assert plans[0] == plans[1] or plans[0].targets[0].name != plans[1].targets[0].name
