"""What is planned of an ALBERT and an ELECTRA: who answers for them, and which kinds are not made of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from bertbuild.errors import UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.hf import HuggingFace
from bertbuild.kinds.hub import Hub
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.leaving import left_out
from bertbuild.kinds.onnx import Onnx
from bertbuild.kinds.planning import plan_targets
from bertbuild.kinds.tf2 import Tf2
from bertbuild.kinds.tf2_savedmodel import Tf2SavedModel
from bertbuild.plans.finetuning import FinetuneRequest, plan_finetune
from bertbuild.plans.parts import Part
from bertbuild.plans.placing import BOTH, OF_1, OF_2, placed, reference_of
from bertbuild.plans.plan import File, OwnGraph, Source
from bertbuild.plans.tf2_train import TrainRequest, plan_train

NOBODY = File(path=PurePosixPath("/c"), digest="d")
LEFT = File(path=PurePosixPath("/left"), digest="e")


def source(family="albert", *kinds, **changes):
    heads = tuple(FoundHead(kind, *HEADS[kind].last, labels=3) for kind in kinds)
    told = {"pooler": family != "electra", "gelu": "tanh", "heads": heads, **changes}
    return Source(model="small", kind="checkpoint", file=NOBODY, family=family, **told)


@pytest.mark.parametrize("request_", [Frozen(), Ir(), Onnx()])
def test_transformers_classes_answer_and_nothing_of_tensorflow_1_that_reads_the_checkpoint(request_):
    plan = plan_targets(source(), request_, NOBODY)
    assert plan.step("reference").stage == "hf-tf-infer"
    assert plan.step("reference").inputs["huggingface"] == "hf-weights"
    assert plan.step("hf-weights").params == {"prefix": "bert_model.ckpt", "gelu": "tanh"}
    assert not any(step.stage == "tf1-infer" and "checkpoint" in step.inputs for step in plan.steps)


def test_the_folder_is_held_against_the_description_and_not_against_itself():
    plan = plan_targets(source(), HuggingFace(), NOBODY)
    target = plan.targets[0]
    assert plan.step(target.reference).stage == "tf1-infer"
    assert plan.step(plan.step(target.reference).inputs["frozen"]).stage == "freeze"
    assert plan.step(target.answers).stage == "hf-tf-infer"


def test_the_order_of_sentences_alone_is_asked_of_the_class_that_has_it():
    both = source("albert", "masked-lm", "next-sentence")
    plan = plan_targets(both, Onnx(output="next-sentence-logits"), NOBODY)
    assert "masked-lm:" in plan.step("hf-weights").params["heads"]
    assert "masked-lm:" not in plan.step("onnx-next-sentence-logits-fp32").params["heads"]
    assert plan.step("reference").params["output"] == "next-sentence-logits"


def test_answers_of_two_classes_are_refused():
    with pytest.raises(UsageError, match="none of them has just the heads classifier and masked-lm"):
        plan_targets(source("albert", "classifier", "masked-lm"), Onnx(output="probabilities,masked-lm-logits"), NOBODY)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if not kind.families], ids=lambda kind: kind.name)
def test_kinds_that_are_made_of_berts_alone_say_so(kind):
    if kind.command.sources[0] == "tf2":
        return
    with pytest.raises(UsageError, match=f"small is an ALBERT, and {kind.command.name} is for BERT alone"):
        plan_targets(source(), kind.request(), NOBODY)


@pytest.mark.parametrize(("request_", "kinds"), [(Tf2(), ()), (Tf2(format="keras-bert"), ("classifier",))])
def test_an_albert_goes_to_tensorflow_2_and_is_judged_by_transformers_class(request_, kinds):
    plan = plan_targets(source("albert", *kinds), request_, NOBODY)
    assert plan.step("convert-tf2").params["format"] == request_.format
    assert plan.step("reference").stage == "hf-tf-infer"
    of_head = ",logits,probabilities" if kinds else ""
    assert plan.step("reference").params["output"] == ("sequence" + of_head if kinds else "pooled,sequence")
    (target,) = plan.targets
    assert target.told == {"restored into the same model with gelu by erf": "erf"}


def test_a_saved_model_of_an_albert_has_its_heads_for_tasks_alone():
    plan = plan_targets(source("albert", "tokens", "masked-lm"), Tf2SavedModel(), NOBODY)
    assert plan.step("convert-tf2").params["heads"].startswith("tokens:")
    assert "masked-lm" not in plan.step("convert-tf2").params["heads"]


@pytest.mark.parametrize("request_", [Hub(), Tf2(format="pretrainer"), Tf2(format="keras-names")])
def test_formats_that_an_albert_has_not_say_which_it_has(request_):
    with pytest.raises(UsageError, match=f"small is an ALBERT, and the format {request_.format} is for BERT") as raised:
        plan_targets(source(), request_, NOBODY)
    assert raised.value.next_step == "Use one of encoder, keras-bert, savedmodel."


def test_what_is_left_out_of_an_albert_names_no_format_that_it_has_not():
    heads = source("albert", "classifier", "masked-lm")
    parts = tuple(Part(kind=kind, what=kind, names=()) for kind in ("classifier", "masked-lm"))
    left = left_out(replace(heads, parts=parts), Tf2())
    assert {part.kind: part.taken_by for part in left} == {"classifier": "--format keras-bert", "masked-lm": ""}
    left = left_out(replace(heads, family="bert", parts=parts), Tf2())
    assert {part.kind: part.taken_by for part in left}["masked-lm"] == "--format pretrainer"


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        ("albert-zh", "small is an ALBERT of albert_zh, and the Model Garden has no class for it"),
        ("electra", "small has no pooler"),
    ],
)
def test_families_that_the_model_garden_has_no_class_for_say_why(family, sentence):
    with pytest.raises(UsageError, match=sentence):
        plan_targets(source(family), Tf2(), NOBODY)


@pytest.mark.parametrize("route", ["static", "savedmodel"])
def test_routes_that_run_googles_code_say_so(route):
    with pytest.raises(UsageError, match=f"the {route} route is for BERT alone"):
        plan_targets(source(), Ir(route=route), NOBODY)


@pytest.mark.parametrize(
    ("family", "trained"),
    [
        ("albert", "Train it with google-research/albert's own program"),
        ("albert-zh", "Train it with brightmart/albert_zh's own program"),
        ("electra", r"Make a Hugging Face folder of it \(convert-hf\), train that"),
    ],
)
def test_fine_tuning_says_so_and_what_trains_it(family, trained):
    with pytest.raises(UsageError, match="and fine-tuning is for BERT alone") as raised:
        plan_finetune(source(family), NOBODY, None, FinetuneRequest())
    assert re.match(trained, raised.value.next_step)
    with pytest.raises(UsageError, match="and training in TensorFlow 2 is for BERT alone") as raised:
        plan_train(source(family), {}, TrainRequest())
    assert re.match(trained, raised.value.next_step)


def test_no_folder_is_made_of_an_albert_zh():
    with pytest.raises(UsageError, match="transformers has no class for that"):
        plan_targets(source("albert-zh"), HuggingFace(), NOBODY)


def test_a_generator_asked_for_the_discriminators_head_is_refused_in_one_sentence():
    with pytest.raises(UsageError) as raised:
        plan_targets(source("electra", "masked-lm"), Ir(output="replaced-token-logits"), NOBODY)
    assert str(raised.value) == (
        "small has no replaced-token head (discriminator_predictions/dense_1/kernel), so it gives no replaced-token "
        "logits."
    )
    assert raised.value.next_step


def test_a_discriminators_head_is_asked_of_its_class_and_goes_into_a_folder():
    plan = plan_targets(source("electra", "replaced-token"), Ir(output="replaced-token-logits,sequence"), NOBODY)
    assert (
        plan.step("hf-weights").params["heads"].startswith("replaced-token:discriminator_predictions/dense_1/kernel:")
    )
    assert plan.step("reference").params["output"] == "replaced-token-logits,sequence"
    made = plan_targets(source("electra", "replaced-token"), HuggingFace(), NOBODY)
    assert made.step("hf").params["heads"].startswith("replaced-token:")


def with_graph(answers, *kinds, family="albert", **changes):
    own = OwnGraph(file=LEFT, prefix="model.ckpt-best", answers=answers)
    return source(family, *kinds, own=own, **changes)


OF_ENCODER = ("pooled_output", "sequence_output")


@pytest.mark.parametrize("request_", [Frozen(), Ir(precision="fp32,fp16"), Onnx()])
def test_the_own_graph_of_a_checkpoint_answers_first_and_transformers_classes_too(request_):
    plan = plan_targets(with_graph(OF_ENCODER), request_, NOBODY)
    asked = plan.step("own-graph")
    assert (asked.stage, asked.inputs["checkpoint"]) == ("tf1-infer", LEFT)
    assert asked.params == {
        "prefix": "model.ckpt-best",
        "output": "pooled",
        "reference": "own-graph",
        "gelu": "tanh",
        "alone": "false",
    }
    for target in plan.targets:
        assert target.reference == "own-graph"
        assert plan.step(target.second["reference"]).stage == "hf-tf-infer"
        assert target.second["answers"] == target.answers
    assert [step.id for step in plan.steps].count("own-graph") == 1


def test_a_graph_is_asked_for_what_it_gives_of_what_is_wanted():
    plan = plan_targets(with_graph(OF_ENCODER, "classifier"), Onnx(output="sequence,probabilities"), NOBODY)
    assert plan.step("own-graph").params["output"] == "sequence"
    assert plan.step("reference").params["output"] == "sequence,probabilities"
    plan = plan_targets(with_graph((*OF_ENCODER, "probabilities"), "classifier"), Onnx(), NOBODY)
    assert plan.step("own-graph").params["heads"] == "classifier:output_weights:output_bias"


@pytest.mark.parametrize("request_", [Onnx(output="all-layers"), Onnx(gelu="erf")])
def test_a_graph_that_gives_nothing_of_what_is_wanted_is_not_asked(request_):
    plan = plan_targets(with_graph(OF_ENCODER), request_, NOBODY)
    assert plan.targets[0].reference == "reference"
    assert not any(step.id == "own-graph" for step in plan.steps)


def test_a_folder_is_judged_by_the_own_graph_and_by_the_description():
    target = (plan := plan_targets(with_graph(OF_ENCODER), HuggingFace(), NOBODY)).targets[0]
    assert (target.reference, target.second["reference"]) == ("own-graph", "reference")
    assert plan.step("reference").inputs["frozen"] == "freeze"


@pytest.mark.parametrize("request_", [Onnx(), Frozen(), HuggingFace()])
def test_which_tensorflow_ran_the_own_graph_is_known_of_a_target_with_two_judges(request_):
    plan = plan_targets(with_graph(OF_ENCODER), request_, NOBODY)
    assert reference_of(plan, plan.targets[0]) == OF_1
    moved = placed(plan, OF_2)
    assert reference_of(moved, moved.targets[0]) == OF_2
    assert placed(plan, BOTH).targets == plan.targets
