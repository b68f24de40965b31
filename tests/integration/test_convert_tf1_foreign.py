from __future__ import annotations

from pathlib import Path

import pytest
import tf2_models
from backends import run as run_script
from matrix import cells

pytestmark = pytest.mark.integration

HIDDEN = {"pooled_output", "sequence_output"}
CLASSES = {"probabilities"}
SOURCES = {
    "hub_dict": HIDDEN,
    "compiled": CLASSES,
    "dense": CLASSES,
    "renamed": HIDDEN,
    "encoder_weights": HIDDEN,
    "classifier_weights": CLASSES,
    "dense_weights": CLASSES,
    "written": CLASSES,
    "sharded": HIDDEN,
}
"""Folder of foreign_tf2.py → what it answers with."""
SOURCES = cells(SOURCES, "compiled", "dense", "encoder_weights")


@pytest.fixture(scope="module")
def sources(session_folder, bertbuild, tiny):
    assert bertbuild.artifacts.is_dir()
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
    assert {row["output"] for row in verdict["rows"]} == SOURCES[name]
    assert max(row["max_abs"] for row in verdict["rows"]) < 1e-5


@pytest.mark.parametrize("name", SOURCES)
def test_a_head_comes_with_it(converted, name):
    names = tf2_models.tensors(Path(converted[name].last["path"])).keys()
    assert {"output_weights", "output_bias"} <= names or SOURCES[name] == HIDDEN


def test_what_a_classifier_gives_is_told(converted):
    assert "the SavedModel's output without a name is taken for logits, whose softmax is taken" in (
        converted["compiled"].notes
    )
    assert "the SavedModel's output without a name is taken for probabilities" in converted["dense"].notes


def test_what_is_left_out_is_told_by_its_reason(converted):
    (optimizer,) = converted["compiled"].last["left_out"]
    assert optimizer["kind"] == "optimizer"
    assert len(optimizer["names"]) > 80
    assert converted["compiled"].last["lines"][0].startswith("left out: optimizer (")
    assert converted["compiled"].last["lines"][-1] == converted["compiled"].last["path"].removeprefix(
        f"{Path(converted['compiled'].last['path']).parents[4]}/"
    )
    assert converted["dense"].last["left_out"] == []


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
