"""train: tags and several labels under TensorFlow 2, held against numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tf2_models
from head_tasks import BASELINES, LENGTH, SMALL, records
from matrix import WHOLE
from numpy_bert import NumpyBert

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.model_garden import encoder_places

HEAD = {"tokens": "model/classifier", "multi-label": "model/classifier/out_proj"}
"""Where the Model Garden's class has its dense layer."""
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def logits(folder, kind, asked):
    """What numpy makes of the checkpoint: float64 [N, C]; of tags [N, S, C]."""
    held = tf2_models.tensors(folder / "bert_model.ckpt")
    paths = CheckpointReader(folder / "bert_model.ckpt").entries
    encoder = {}
    for place in encoder_places(config_from(SMALL, name="small"), "layer_with_weights-0"):
        key = next(name for name in paths if name.endswith("/".join(place.path) + VALUE))
        encoder[place.source] = place.back(held[key])
    found = NumpyBert(encoder, heads=SMALL["num_attention_heads"], activation="erf").answer(asked)
    layer = found["sequence_output" if kind == "tokens" else "pooled_output"]
    dense = [next(value for name, value in held.items() if name.endswith(part + VALUE)) for part in _dense(kind, held)]
    return layer @ dense[0].astype(np.float64) + dense[1]


def _dense(kind, held):
    """The endings of the names of the head's kernel and bias, which a checkpoint holds under one of two paths."""
    other = "model/layer_with_weights-1" + ("/out_proj" if kind == "multi-label" else "")
    root = HEAD[kind] if any(name.startswith(HEAD[kind] + "/kernel") for name in held) else other
    return f"{root}/kernel", f"{root}/bias"


def figures(folder):
    lines = (folder / "eval_results.txt").read_text().splitlines()
    return {name: float(value) for name, value in (line.split(" = ") for line in lines)}


@pytest.mark.parametrize("kind", HEAD)
def test_figures_of_the_dev_set_are_those_of_numpy(trained_heads, kind):
    trained = trained_heads[kind]
    asked, labels = records(trained.prepared / "eval.tf_record")
    found, told = logits(trained.folder, kind, asked), figures(trained.folder)
    if kind == "tokens":
        powers = np.exp(found - found.max(axis=-1, keepdims=True))
        shares = np.take_along_axis(powers / powers.sum(axis=-1, keepdims=True), np.maximum(labels, 0)[..., None], -1)
        counted = labels >= 0
        assert told["eval_loss"] == pytest.approx(-np.log(shares[..., 0][counted]).mean(), abs=1e-5)
        right = (found.argmax(axis=-1) == labels)[counted]
    else:
        assert told["eval_loss"] == pytest.approx(np.mean(np.log1p(np.exp(found)) - found * labels), abs=1e-5)
        right = (found > 0) == labels
        both = 2 * ((found > 0) & (labels == 1)).sum()
        assert told["eval_micro_f1"] == pytest.approx(both / max(1, (found > 0).sum() + labels.sum()), abs=1e-6)
    assert told["eval_accuracy"] == pytest.approx(right.mean(), abs=1e-6)
    losses = json.loads((trained.folder / "history.json").read_text())["loss"]
    assert losses[-1] < losses[0] or not WHOLE


@pytest.mark.parametrize("kind", HEAD)
def test_what_was_learnt_is_told_against_who_has_learnt_nothing(trained_heads, kind):
    trained = trained_heads[kind]
    learnt = trained.outcome.last["learnt"]
    _, labels = records(trained.prepared / "eval.tf_record")
    assert learnt["baseline"] == pytest.approx(BASELINES[kind](labels), abs=1e-6)
    assert learnt["value"] == pytest.approx(figures(trained.folder)[learnt["metric"]], abs=1e-6)
    assert learnt["learnt"] is (learnt["value"] > learnt["baseline"] + 1e-6)
    warned = any(text.startswith("It has learnt nothing of") for text in trained.outcome.warnings)
    assert warned is not learnt["learnt"]
    assert learnt["learnt"] or not WHOLE


@pytest.mark.parametrize("kind", HEAD)
def test_task_json_tells_the_head(trained_heads, tuned_heads, kind):
    told = json.loads((trained_heads[kind].folder / "task.json").read_text())
    same = json.loads((tuned_heads[kind].folder / "task.json").read_text())
    assert told["head"] == kind
    assert all(told[name] == same[name] for name in ("task", "task_type", "labels", "max_seq_length", "do_lower_case"))


@pytest.fixture(scope="module")
def predicted(bertbuild, trained_heads):
    def predict(kind):
        trained = trained_heads[kind]
        words = ("--mode", "predict", "--prepared", trained.prepared, "--name", f"small-{kind}")
        return Path(bertbuild.ok("train", "--model-dir", trained.folder, *words).last["path"])

    return dict(zip(HEAD, tf2_models.together(predict, [[kind] for kind in HEAD]), strict=True))


def test_tags_of_the_test_set_stand_behind_its_words(predicted, trained_heads):
    trained = trained_heads["tokens"]
    asked, marks = records(trained.prepared / "test.tf_record")
    assert asked["input_ids"].shape[1] == LENGTH
    numbers = logits(trained.folder, "tokens", asked)[marks >= 0].argmax(axis=-1)
    tags = [json.loads((trained.folder / "task.json").read_text())["labels"][number] for number in numbers]
    words = (trained.files / "test.txt").read_text().splitlines()
    wanted = [f"{word}\t{tags.pop(0)}" if word else "" for word in words]
    assert (predicted["tokens"] / "test_results.conll").read_text().splitlines() == wanted


def test_several_labels_of_the_test_set_are_probabilities(predicted, trained_heads):
    trained = trained_heads["multi-label"]
    asked, _ = records(trained.prepared / "test.tf_record")
    wanted = 1 / (1 + np.exp(-logits(trained.folder, "multi-label", asked)))
    assert np.abs(np.loadtxt(predicted["multi-label"] / "test_results.tsv") - wanted).max() < 1e-5


def test_a_model_of_another_kind_of_head_is_refused(bertbuild, trained_heads):
    words = ("--mode", "predict", "--prepared", trained_heads["multi-label"].prepared)
    error = bertbuild.refused("train", "--model-dir", trained_heads["tokens"].folder, *words, code=13)
    assert "classes apart" in error["message"] or "a head of the kind tokens" in error["message"]
