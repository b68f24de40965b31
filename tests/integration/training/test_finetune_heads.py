"""finetune: a checkpoint of every kind of head from a user's own files, held against numpy."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from backends import run as run_script
from head_tasks import BASELINES, COUNTS, FLAGS, LENGTH, answers, logits, records
from matrix import WHOLE

ANSWER = {"classifier": "loss/Softmax", "multi-label": "loss/Sigmoid", "regression": "loss/Squeeze"}
ANSWER |= {"tokens": "loss/Softmax", "span": "start_logits"}
"""The node of the .meta that gives the answer."""
OWN = tuple(FLAGS)
LOSS = {
    "classifier": lambda found, labels: -np.log(np.take_along_axis(softmax(found), labels, -1)).mean(),
    "regression": lambda found, labels: np.square(found - labels).mean(),
    "multi-label": lambda found, labels: np.mean(np.log1p(np.exp(found)) - found * labels),
    "tokens": lambda found, labels: (
        -np.log(np.take_along_axis(softmax(found), np.maximum(labels, 0)[..., None], -1)[..., 0][labels >= 0]).mean()
    ),
}


def softmax(found):
    powers = np.exp(found - found.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def figures(tuned):
    text = (tuned.folder / "eval_results.txt").read_text()
    return {name: float(value) for name, value in (line.split(" = ") for line in text.splitlines())}


@pytest.mark.parametrize("kind", [*OWN, "span"])
def test_task_json_tells_the_head_and_all_that_evaluating_needs(tuned_heads, kind):
    tuned = tuned_heads[kind]
    told = json.loads((tuned.folder / "task.json").read_text())
    facts = json.loads((tuned.prepared / "prepared.json").read_text())
    assert (told["head"], told["max_seq_length"]) == (kind, LENGTH)
    assert all(told[name] == facts[name] for name in ("task", "task_type", "labels", "do_lower_case", "vocab_reading"))
    if kind == "regression":
        assert told["score_range"] == [0.0, 6.0]
    if kind == "span":
        assert (told["doc_stride"], told["max_query_length"], told["max_answer_length"]) == (128, 8, 30)


@pytest.mark.parametrize("kind", OWN)
def test_answers_for_the_test_set_are_those_of_the_head(tuned_heads, kind):
    tuned = tuned_heads[kind]
    asked, marks = records(tuned.prepared / "test.tf_record")
    found = answers(tuned.folder, kind, asked)
    if kind == "tokens":
        labels = json.loads((tuned.folder / "task.json").read_text())["labels"]
        words = (tuned.files / "test.txt").read_text().splitlines()
        told = [labels[number] for number in found[marks >= 0].argmax(axis=-1)]
        wanted = [f"{word}\t{told.pop(0)}" if word else "" for word in words]
        assert (tuned.folder / "test_results.conll").read_text().splitlines() == wanted
        assert told == []
        return
    rows = [line.split("\t") for line in (tuned.folder / "test_results.tsv").read_text().splitlines()]
    assert len(rows) == COUNTS["test"]
    assert np.abs(np.array(rows, float).squeeze() - found).max() < 1e-5


@pytest.mark.parametrize("kind", OWN)
def test_figures_of_the_dev_set_are_those_of_numpy(tuned_heads, kind):
    tuned, told = tuned_heads[kind], figures(tuned_heads[kind])
    asked, labels = records(tuned.prepared / "eval.tf_record")
    found = logits(tuned.folder, kind, asked)
    assert told["eval_loss"] == pytest.approx(LOSS[kind](found, labels), abs=1e-5)
    if kind == "regression":
        assert told["eval_mean_squared_error"] == pytest.approx(told["eval_loss"], abs=1e-6)
        assert told["eval_pearson"] == pytest.approx(
            np.corrcoef(found[:, 0], labels[:, 0])[0, 1], abs=2e-3
        )  # summed in float32
        return
    right = (
        (found > 0) == labels if kind == "multi-label" else found.argmax(axis=-1) == labels.reshape(found.shape[:-1])
    )
    counted = labels >= 0 if kind == "tokens" else np.ones_like(right)
    assert told["eval_accuracy"] == pytest.approx(right[counted].mean(), abs=1e-6)
    if kind == "multi-label":
        both = ((found > 0) & (labels == 1)).sum()
        assert told["eval_micro_f1"] == pytest.approx(2 * both / max(1, (found > 0).sum() + labels.sum()), abs=1e-6)


@pytest.mark.parametrize("kind", [*OWN, "span"])
def test_what_was_learnt_is_told_against_who_has_learnt_nothing(tuned_heads, kind):
    tuned = tuned_heads[kind]
    learnt, lines = tuned.outcome.last["learnt"], tuned.outcome.last["lines"]
    if kind != "span":
        _, labels = records(tuned.prepared / "eval.tf_record")
        assert learnt["baseline"] == pytest.approx(BASELINES[kind](labels), abs=1e-6)
        assert learnt["value"] == pytest.approx(figures(tuned)[learnt["metric"]], abs=1e-6)
    gain = (learnt["value"] - learnt["baseline"]) * (-1 if kind == "regression" else 1)
    better = gain > 1e-6 * max(1, learnt["baseline"])
    assert learnt["learnt"] is better
    assert better or not WHOLE
    assert any(text.startswith("It has learnt nothing of") for text in tuned.outcome.warnings) is not better
    assert re.fullmatch(
        r"next: \w+ evaluate --checkpoint \S+/finetuned-\S+ --name small-\S+ --(prepared|squad-data-file) \S+",
        lines[-2],
    )
    assert re.match(r"next: \w+ build-ir --checkpoint \S+/finetuned-\S+ --name small-", lines[-1])


def test_the_meta_of_each_computes_its_head(tuned_heads, tmp_path):
    asked = []
    for kind, tuned in tuned_heads.items():
        name = "train" if kind == "span" else "eval"
        inputs, _ = records(tuned.prepared / f"{name}.tf_record")
        inputs = {role: values[:2] for role, values in inputs.items()}
        np.savez(tmp_path / f"{kind}-inputs.npz", **inputs)
        names = [ANSWER[kind], *(["end_logits"] if kind == "span" else [])]
        paths = {"inputs": tmp_path / f"{kind}-inputs.npz", "out": tmp_path / f"{kind}.npz"}
        asked.append({"prefix": tuned.folder / "bert_model.ckpt", "names": names, **paths})
    run_script("tf1", "meta_answers", asked=asked)
    for kind, tuned in tuned_heads.items():
        with np.load(tmp_path / f"{kind}-inputs.npz") as inputs:
            wanted = answers(tuned.folder, kind, dict(inputs))
        with np.load(tmp_path / f"{kind}.npz") as found:
            told = found[ANSWER[kind]]
            if kind == "span":
                told = np.stack([told, found["end_logits"]], axis=-1)
        if kind in ("tokens", "span"):
            told = told[:, :LENGTH]
        assert np.abs(told - wanted).max() < 1e-5, kind


def test_a_head_of_another_kind_is_not_gone_on_with(bertbuild, tuned_heads):
    """The classifier has the two rows that the tags need; what they read is another thing."""
    words = ("finetune", "--checkpoint", tuned_heads["classifier"].folder, "--prepared", tuned_heads["tokens"].prepared)
    error = bertbuild.refused(*words, "--do-train=false", code=4)
    assert "has a head of the kind classifier, and own-ner needs tokens" in error["message"]
    assert "Train it first" in error["next_step"]
