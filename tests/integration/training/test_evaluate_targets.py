"""evaluate: every target of a tiny classifier on a dev set whose right classes NumPy's BERT has worked out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy_bert import NumpyBert
from prepared_folders import features, write_prepared
from program import arrays
from tiny_models import CONFIG, weights, write_google

COUNT, LENGTH, WRONG = 24, 32, 4
ALL = (
    "tf1",
    "frozen",
    "ir-fp32",
    "ir-fp16",
    "neuron-ready-float32",
    "neuron-ready-float16",
    "tf2",
)
UPSIDE_DOWN = """
import answers
write = answers.write_answers
answers.write_answers = lambda folder, found: write(folder, {name: 1 - value for name, value in found.items()})
"""


@pytest.fixture(scope="module")
def tuned(session_folder):
    """A checkpoint with a head of two classes, and its tensors."""
    tensors = weights(seed=4, labels=2)
    return write_google(session_folder / "tuned", tensors), tensors


@pytest.fixture(scope="module")
def dev_set(tuned):
    """Inputs, NumPy's probabilities, and labels of which the first `WRONG` are not what the model answers."""
    inputs = features(COUNT, length=LENGTH, vocab_size=CONFIG["vocab_size"])
    expected = NumpyBert(tuned[1], heads=CONFIG["num_attention_heads"], activation="erf").answer(inputs)
    labels = expected["probabilities"].argmax(axis=-1)
    labels[:WRONG] = 1 - labels[:WRONG]
    return inputs, expected["probabilities"], labels


@pytest.fixture(scope="module")
def prepared(session_folder, tuned, dev_set):
    inputs, _, labels = dev_set
    vocab = tuned[0] / "vocab.txt"
    return write_prepared(session_folder / "data-MRPC-32", inputs, labels, padding_rows=2, vocab=vocab, training=True)


@pytest.fixture(scope="module")
def evaluated(bertbuild, tuned, prepared):
    return bertbuild.ok("evaluate", "--checkpoint", tuned[0], "--prepared", prepared)


def test_every_target_has_the_accuracy_that_the_labels_say(bertbuild, evaluated, dev_set):
    _, expected, labels = dev_set
    (facts,) = evaluated.of("evaluation")
    assert (facts["task"], facts["examples"], facts["metric"], facts["passed"]) == ("MRPC", COUNT, "accuracy", True)
    assert tuple(row["target"] for row in facts["targets"]) == ALL
    right = int(np.sum((labels == 1) & (expected.argmax(axis=-1) == 1)))
    f1 = 2 * right / int(np.sum(labels == 1) + np.sum(expected.argmax(axis=-1) == 1))
    for row in facts["targets"]:
        assert row["metrics"] == pytest.approx({"accuracy": 1 - WRONG / COUNT, "f1": f1}), row["target"]
        assert (row["agreement"], row["drop"], row["passed"]) == (1.0, 0.0, True)
        allowed = 5e-3 if row["target"].endswith("16") else 1e-5
        assert row["max_abs"] <= allowed, row["target"]
        assert 0 < row["latency"]["batch"] <= row["latency"]["batch_p95"] < 1
        assert 0 < row["latency"]["alone"] <= row["latency"]["alone_p95"] < 1
        stage = {"ir": "openvino-infer", "tf2": "tf2-infer"}.get(row["target"].split("-")[0], "tf1-infer")
        answers = arrays(bertbuild.artifacts / "objects" / stage / row["keys"]["answers"] / "answers.npz")
        np.testing.assert_allclose(answers["probabilities"], expected, rtol=0, atol=allowed)


def test_the_figures_are_kept_with_the_keys(bertbuild, evaluated):
    (facts,) = evaluated.of("evaluation")
    kept = json.loads((bertbuild.artifacts / "evaluations" / "tuned" / "MRPC" / "evaluation.json").read_text())
    assert kept == {name: value for name, value in facts.items() if name != "event"}
    assert evaluated.last["path"].endswith("evaluations/tuned/MRPC/evaluation.json")
    assert [row["keys"]["result"] is None for row in kept["targets"]] == [True] + [False] * 6


def test_one_table_shows_them(evaluated):
    (table,) = evaluated.of("table")
    assert table["columns"] == [
        *("target", "accuracy", "f1", "same class", "max abs", "ms, batch 8", "ms, batch 1", "drop", "")
    ]
    assert [row[0] for row in table["rows"]] == list(ALL)
    assert {row[-1] for row in table["rows"]} == {"ok"}


def test_what_is_built_and_answered_already_is_used(bertbuild, evaluated, tuned, prepared):
    assert evaluated.ids("done")
    again = bertbuild.ok("evaluate", "--checkpoint", tuned[0], "--prepared", prepared)
    assert again.ids("done") == []
    built = bertbuild.ok("freeze", "--checkpoint", tuned[0], "--output", "probabilities")
    assert "freeze" in built.ids("cached")
    (facts,), (once,) = again.of("evaluation"), evaluated.of("evaluation")
    assert facts == once


def test_a_target_that_loses_its_accuracy_fails_the_gate(altered, evaluated, tuned, prepared):
    assert evaluated.code == 0
    program = altered("openvino", "infer", UPSIDE_DOWN)
    words = (
        "evaluate",
        "--checkpoint",
        tuned[0],
        "--prepared",
        prepared,
        "--target",
        "frozen,ir-fp32",
        "--name",
        "bad",
    )
    outcome = program(*words)
    assert outcome.code == 22
    (facts,) = outcome.of("evaluation")
    by_name = {row["target"]: row for row in facts["targets"]}
    assert {name: row["passed"] for name, row in by_name.items()} == {"tf1": True, "frozen": True, "ir-fp32": False}
    assert by_name["ir-fp32"]["metrics"]["accuracy"] == pytest.approx(WRONG / COUNT)
    assert by_name["ir-fp32"]["agreement"] == 0.0
    assert outcome.last["error"] == "AccuracyError"
    assert "ir-fp32: accuracy 0.1667, 0.6667 below the source's; 0.01 is allowed" in outcome.last["message"]
    assert program(*words, "--max-drop", "0.7").code == 0


@pytest.mark.whole
def test_other_batch_sizes_answer_the_same(bertbuild, evaluated, tuned, prepared):
    assert evaluated.code == 0
    words = ("--target", "ir-fp32", "--batch-size", "5")
    other = bertbuild.ok("evaluate", "--checkpoint", tuned[0], "--prepared", prepared, *words)
    (facts,) = other.of("evaluation")
    assert facts["batch_size"] == 5
    assert facts["targets"][1]["metrics"]["accuracy"] == pytest.approx(1 - WRONG / COUNT)
    assert facts["targets"][1]["max_abs"] <= 1e-5


@pytest.mark.whole
def test_int8_is_in_the_table_too(bertbuild, evaluated, tuned, prepared):
    assert evaluated.code == 0
    words = ("--target", "ir-int8", "--max-drop", "1")
    outcome = bertbuild.ok("evaluate", "--checkpoint", tuned[0], "--prepared", prepared, *words)
    (facts,) = outcome.of("evaluation")
    row = facts["targets"][1]
    assert row["target"] == "ir-int8"
    assert 1e-5 < row["max_abs"] < 0.5
    assert row["agreement"] >= 0.75
    assert (bertbuild.artifacts / "objects" / "quantize" / row["keys"]["result"] / "model.xml").is_file()


def test_damaged_records_are_refused(bertbuild, tuned, prepared, tmp_path):
    folder = tmp_path / "damaged"
    folder.mkdir()
    (folder / "prepared.json").write_text((prepared / "prepared.json").read_text())
    content = bytearray((prepared / "eval.tf_record").read_bytes())
    content[100] ^= 1
    (folder / "eval.tf_record").write_bytes(content)
    error = bertbuild.refused("evaluate", "--checkpoint", tuned[0], "--prepared", folder, code=13)
    assert "record 0 is damaged" in error["message"]


def test_labels_outside_the_task_are_refused(bertbuild, tuned, dev_set, tmp_path):
    folder = write_prepared(tmp_path / "data", dev_set[0], [*dev_set[2][:-1], 2])
    error = bertbuild.refused("evaluate", "--checkpoint", tuned[0], "--prepared", folder, code=13)
    assert "1 labels are not among the task's 2, the first is 2" in error["message"]
