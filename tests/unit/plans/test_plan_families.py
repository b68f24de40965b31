"""What is planned of an ALBERT and an ELECTRA: who answers for them, and which kinds are not made of them."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from bertbuild.errors import UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.hf import HuggingFace
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.onnx import Onnx
from bertbuild.kinds.planning import plan_targets
from bertbuild.plans.finetuning import FinetuneRequest, plan_finetune
from bertbuild.plans.plan import File, Source

NOBODY = File(path=PurePosixPath("/c"), digest="d")


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


@pytest.mark.parametrize("route", ["static", "savedmodel"])
def test_routes_that_run_googles_code_say_so(route):
    with pytest.raises(UsageError, match=f"the {route} route is for BERT alone"):
        plan_targets(source(), Ir(route=route), NOBODY)


def test_fine_tuning_says_so():
    with pytest.raises(UsageError, match="small is an ELECTRA, and fine-tuning is for BERT alone"):
        plan_finetune(source("electra"), NOBODY, None, FinetuneRequest())


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
