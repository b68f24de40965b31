from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan

from bertbuild.errors import UsageError
from bertbuild.heads.found import FoundHead
from bertbuild.plans.finetuning import FinetuneRequest, plan_finetune
from bertbuild.plans.plan import File, Source, Step

SOURCE = Source(
    model="bert",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="d-checkpoint"),
    gelu="tanh",
    prefix="bert_model.ckpt",
)
DATA = File(path=PurePosixPath("/data"), digest="d-data")
QUESTIONS = File(path=PurePosixPath("/dev.json"), digest="d-questions")

PLANS = {
    "finetune": plan_finetune(SOURCE, DATA, None, FinetuneRequest()),
    "finetune_squad": plan_finetune(
        replace(SOURCE, gelu=None),
        DATA,
        QUESTIONS,
        FinetuneRequest(max_seq_length=384, learning_rate=3e-5, num_train_epochs=2, version_2_with_negative=True),
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_plans_are_as_they_were(name):
    golden_plan(f"plan_{name}", PLANS[name])


def test_how_often_is_saved_is_no_part_of_the_key():
    (often,) = plan_finetune(SOURCE, DATA, None, FinetuneRequest(save_checkpoints_steps=5)).steps
    (seldom,) = PLANS["finetune"].steps
    assert often.params == seldom.params
    assert often.limits == {"save_checkpoints_steps": "5"}


def test_the_same_number_is_the_same_key_however_it_is_written():
    first, second = (FinetuneRequest(learning_rate=float(text)) for text in ("5e-5", "0.00005"))
    assert first.params(squad=False) == second.params(squad=False)


def test_data_may_be_made_by_a_step_before():
    step = Step(id="data", stage="prepare-data", inputs={})
    plan = plan_finetune(SOURCE, "data", None, FinetuneRequest(), before=(step,))
    assert [step.id for step in plan.needed("finetune")] == ["data", "finetune"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"train_batch_size": 0}, "--train-batch-size must be at least 1"),
        ({"max_seq_length": -1}, "--max-seq-length must be at least 1"),
        ({"learning_rate": 0.0}, "must be a number above 0"),
        ({"num_train_epochs": -3.0}, "must be a number above 0"),
        ({"warmup_proportion": 1.0}, "must be a number, 0 or more and below 1"),
        ({"do_train": False, "do_eval": False, "do_predict": False}, "nothing to do"),
    ],
)
def test_flags_that_mean_nothing_are_refused(flags, sentence):
    with pytest.raises(UsageError, match=sentence) as raised:
        FinetuneRequest(**flags)
    assert raised.value.next_step


def found(kind, *, assumed=False):
    return FoundHead(kind=kind, weights="w", bias="b", labels=2, assumed=assumed)


@pytest.mark.parametrize(
    ("heads", "told"),
    [
        ((), None),
        ((found("classifier"),), "classifier"),
        ((found("tokens"), found("span")), "tokens,span"),
        ((found("classifier", assumed=True),), None),
    ],
)
def test_the_stage_is_told_what_heads_the_checkpoint_is_known_to_have(heads, told):
    (step,) = plan_finetune(replace(SOURCE, heads=heads), DATA, None, FinetuneRequest()).steps
    assert step.params.get("source_heads") == told


def test_only_a_checkpoint_is_fine_tuned():
    with pytest.raises(UsageError, match="Only a checkpoint"):
        plan_finetune(replace(SOURCE, kind="frozen"), DATA, None, FinetuneRequest())
