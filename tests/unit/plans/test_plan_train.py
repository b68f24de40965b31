from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from host_doubles import golden_plan

from bertbuild.errors import UsageError
from bertbuild.heads.classifier import found as classifier_of
from bertbuild.plans.plan import File, Source
from bertbuild.plans.tf2_train import MODES, TrainRequest, plan_train
from bertbuild.stages import STAGES

GOOGLE = Source(
    model="bert",
    kind="checkpoint",
    file=File(path=PurePosixPath("/c"), digest="d-checkpoint"),
    gelu="erf",
    heads=(classifier_of(3),),
)
ENCODER = Source(
    model="bert", kind="tf2-checkpoint", prefix="", file=File(path=PurePosixPath("/e"), digest="d-encoder"), gelu="erf"
)
TRAINED = replace(ENCODER, kind="tf2-trained", gelu="tanh", prefix="ckpt-8")
RELU = replace(
    ENCODER,
    gelu=None,
    config=File(path=PurePosixPath("/bert_config.json"), digest="d-config"),
    vocab=File(path=PurePosixPath("/vocab.txt"), digest="d-vocab"),
)
DATA = {"data": File(path=PurePosixPath("/d"), digest="d-data")}
SQUAD = {**DATA, "predict-file": File(path=PurePosixPath("/dev-v1.1.json"), digest="d-questions")}
WORKERS = {"distribution_strategy": "multi_worker_mirrored", "workers": 2}

PLANS = {
    "train": plan_train(GOOGLE, DATA, TrainRequest()),
    "train_workers_tanh": plan_train(ENCODER, DATA, TrainRequest(gelu="tanh", **WORKERS)),
    "train_relu_tpu": plan_train(RELU, DATA, TrainRequest(distribution_strategy="tpu", tpu="grpc://10.0.0.2:8470")),
    "train_squad": plan_train(GOOGLE, SQUAD, TrainRequest(mode="train_and_predict", learning_rate=8e-5)),
    "train_predict": plan_train(TRAINED, DATA, TrainRequest(mode="predict")),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_what_it_was(name):
    golden_plan(f"plan_{name}", PLANS[name])


def test_where_it_runs_and_what_a_kill_costs_are_no_part_of_the_key():
    (step,) = PLANS["train_relu_tpu"].steps
    assert step.limits == {"tpu": "grpc://10.0.0.2:8470", "save-checkpoints-steps": "100"}
    assert STAGES[step.stage].resumable
    assert STAGES[step.stage].distributed


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_begins_with_a_model_that_it_can_use(mode):
    request = TrainRequest(mode=mode)
    wrong, right = (TRAINED, ENCODER) if request.training else (ENCODER, TRAINED)
    assert plan_train(right, SQUAD, request).steps
    with pytest.raises(UsageError, match=f"--mode {mode}"):
        plan_train(wrong, SQUAD, request)
    if not request.training:
        with pytest.raises(UsageError, match="takes a model that train made"):
            plan_train(GOOGLE, SQUAD, request)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"mode": "eat"}, "mode"),
        ({"distribution_strategy": "off"}, "distribution-strategy"),
        ({"gelu": "quick"}, "gelu"),
        ({"train_batch_size": 0}, "--train-batch-size must be at least 1"),
        ({"learning_rate": -1.0}, "--learning-rate must be a number above 0"),
        ({"distribution_strategy": "multi_worker_mirrored"}, "--workers 1 contradicts"),
        ({"workers": 2}, "contradicts --distribution_strategy one_device"),
        ({"virtual_cpus": 2}, "devices of mirrored alone"),
        ({"tpu": "grpc://x:1"}, "not used by one_device"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused_before_anything_starts(flags, said):
    with pytest.raises(UsageError, match=said) as raised:
        TrainRequest(**flags)
    assert raised.value.next_step


def test_only_a_checkpoint_is_trained():
    with pytest.raises(UsageError, match="Only a checkpoint"):
        plan_train(replace(GOOGLE, kind="frozen"), DATA, TrainRequest())
