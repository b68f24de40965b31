from __future__ import annotations

import json
from pathlib import Path

import pytest
import tf2_models
from backends import run as run_script
from matrix import WHOLE, cells

from bertbuild.gate.parity import ALONE

pytestmark = pytest.mark.integration

HIDDEN = {"pooled_output", "sequence_output"}
CLASSES = {"probabilities"}
WITH_LOGITS = HIDDEN | CLASSES | {"logits"}
SOURCES = {
    "hub_dict": HIDDEN,
    "compiled": CLASSES,
    "dense": CLASSES,
    "renamed": HIDDEN,
    "encoder_weights": HIDDEN,
    "classifier_weights": WITH_LOGITS,
    "dense_weights": WITH_LOGITS,
    "written": WITH_LOGITS,
    "sharded": HIDDEN,
    "tagger": WITH_LOGITS,
    "scores": HIDDEN | {"score"},
    "older_pretrainer": HIDDEN | {"masked_lm_logits", "next_sentence_logits"},
    "labeler": {"start_logits", "end_logits"},
    "tagger_whole": CLASSES | {"logits"},
    "inner": HIDDEN,
}
"""Folder of foreign_tf2.py → what it answers with."""
SOURCES = cells(SOURCES, "compiled", "older_pretrainer")
KINDS = {
    "tagger": "tokens",
    "tagger_whole": "tokens",
    "scores": "regression",
    "labeler": "span",
    **dict.fromkeys(("compiled", "dense", "classifier_weights", "dense_weights", "written"), "classifier"),
}
"""Of those with a head for a task, what task.json says of it."""
VARIABLES = {
    "span": {"cls/squad/output_weights", "cls/squad/output_bias"},
    **{kind: {"output_weights", "output_bias"} for kind in ("classifier", "tokens", "regression")},
}


@pytest.fixture(scope="module")
def sources(session_folder, bertbuild, tiny):
    assert bertbuild.artifacts
    folder = session_folder / "foreign_tf2"
    folder.mkdir()
    files = {"config": tiny / "bert_config.json", "vocab": tiny / "vocab.txt"}
    run_script("tf2", "foreign_tf2", out=folder, names=[*SOURCES, "strange"], **files)
    return folder


@pytest.fixture(scope="module")
def converted(bertbuild, sources):
    def convert(name):
        return bertbuild.ok("convert-tf1", "--tf2", sources / name, "--name", f"foreign-{name}")

    return dict(zip(SOURCES, tf2_models.together(convert, [(name,) for name in SOURCES]), strict=True))


@pytest.mark.parametrize("name", SOURCES)
def test_a_model_that_others_saved_comes_back_and_answers_alike(converted, name):
    verdict = converted[name].verdict("tf1-checkpoint")
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"] if not row["probe"].endswith(ALONE)} == SOURCES[name]
    assert max(row["max_abs"] for row in verdict["rows"]) < 1e-5


@pytest.mark.parametrize("name", SOURCES)
def test_a_head_comes_with_it_and_its_kind(converted, name):
    prefix = Path(converted[name].last["path"])
    names = {variable for variable in tf2_models.tensors(prefix) if not variable.startswith("bert/")}
    task = prefix.with_name("task.json")
    if name == "older_pretrainer":
        assert {"cls/predictions/output_bias", "cls/seq_relationship/output_weights"} < names
        assert not any("squad" in variable for variable in names)
    else:
        assert names == VARIABLES.get(KINDS.get(name), set())
    assert (json.loads(task.read_text())["head"] if task.exists() else None) == KINDS.get(name)


def test_what_a_classifier_gives_is_told(converted):
    assert "the SavedModel's output without a name is taken for logits, whose softmax is taken" in (
        converted["compiled"].notes
    )
    if WHOLE:
        assert "the SavedModel's output without a name is taken for probabilities" in converted["dense"].notes


def test_what_is_left_out_is_told_by_its_reason(converted):
    (optimizer,) = converted["compiled"].last["left_out"]
    assert optimizer["kind"] == "optimizer"
    assert len(optimizer["names"]) > 80
    assert converted["compiled"].last["lines"][0].startswith("left out: optimizer (")
    assert converted["compiled"].last["lines"][-1] == converted["compiled"].last["path"].removeprefix(
        f"{Path(converted['compiled'].last['path']).parents[4]}/"
    )
    if WHOLE:
        assert converted["dense"].last["left_out"] == []


@pytest.mark.whole
def test_inputs_of_other_names_are_refused_by_their_names(bertbuild, sources):
    error = bertbuild.refused("convert-tf1", "--tf2", sources / "strange", "--name", "strange", code=13)
    assert "the SavedModel takes a, b, c; a BERT's inputs are input_ids or input_word_ids" in error["message"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("tf_model.h5", "Hugging Face"), ("model.weights.h5", "Keras weights"), ("model.keras", "Keras 3")],
)
def test_files_of_keras_are_named_and_refused_with_the_way_out(bertbuild, sources, name, told):
    outcome = bertbuild("convert-tf1", "--tf2", sources / "h5" / name)
    assert outcome.code == 4
    assert outcome.of("stage") == []
    assert told in outcome.last["message"]
    assert outcome.last["next_step"]
