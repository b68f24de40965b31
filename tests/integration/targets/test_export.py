from __future__ import annotations

import numpy as np
import pytest
from numpy_bert import NumpyBert
from program import Bertbuild
from saved_models import ROLES, LoadedSavedModel, answer, question
from tiny_models import CONFIG

pytestmark = pytest.mark.integration

FREE_LENGTH = 128
FILES = ("saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index")


def tokens(length):
    return {role: ("int32", [None, length]) for role in ROLES}


@pytest.fixture(scope="module")
def with_head(tiny_exported):
    return LoadedSavedModel(tiny_exported.last["targets"][0]["path"])


@pytest.fixture(scope="module")
def without_head(bare_exported):
    return LoadedSavedModel(bare_exported.last["targets"][0]["path"])


@pytest.fixture(scope="module")
def short(bertbuild, tiny):
    """The pooled output of the fine-tuned checkpoint, for sequences of 64."""
    return bertbuild.ok("export", "--checkpoint", tiny, "--seq-len", 64, "--output", "pooled")


def test_a_fine_tuned_checkpoint_has_the_five_inputs_of_the_demo_and_gives_probabilities(with_head):
    assert with_head.interface("inputs") == {
        **tokens(FREE_LENGTH),
        "label_ids": ("int32", [None]),
        "is_real_example": ("int32", [None]),
    }
    assert all(port["tensor"] == f"{name}:0" for name, port in with_head.facts["inputs"].items())
    assert with_head.interface("outputs") == {"probabilities": ("float32", [None, 3])}


def test_a_pre_trained_checkpoint_has_three_inputs_and_gives_pooled_and_sequence_output(without_head):
    width = CONFIG["hidden_size"]
    assert without_head.interface("inputs") == tokens(FREE_LENGTH)
    assert without_head.interface("outputs") == {
        "pooled_output": ("float32", [None, width]),
        "sequence_output": ("float32", [None, FREE_LENGTH, width]),
    }


def test_the_sequence_length_and_the_outputs_are_as_asked(short):
    (target,) = short.last["targets"]
    assert target["target"] == "saved-model-s64-pooled"
    found = LoadedSavedModel(target["path"])
    assert found.interface("inputs") == tokens(64)
    assert found.interface("outputs") == {"pooled_output": ("float32", [None, CONFIG["hidden_size"]])}
    verdict = short.verdict("saved-model-s64-pooled")
    assert {row["probe"].split()[0] for row in verdict["rows"]} >= {"b1_s16", "b4_s16"}
    assert not any(row["probe"].startswith("b1_s128") for row in verdict["rows"])


def test_it_lies_in_a_folder_named_by_its_key(bertbuild, tiny_exported):
    (target,) = tiny_exported.last["targets"]
    folder = bertbuild.out("tiny", "saved-model").resolve()
    assert folder == bertbuild.artifacts.resolve() / "objects" / "export" / target["key"]
    assert (folder / "saved_model.pb").is_file()
    assert (folder / "variables" / "variables.index").is_file()


def test_the_gate_compares_it_with_the_checkpoint_on_every_probe(tiny_exported, bare_exported):
    for built, target, outputs in (
        (tiny_exported, "saved-model", {"probabilities"}),
        (bare_exported, "saved-model-pooled+sequence", {"pooled_output", "sequence_output"}),
    ):
        verdict = built.verdict(target)
        assert verdict["passed"]
        assert verdict["skipped"] == []
        assert {row["output"] for row in verdict["rows"]} == outputs
        probes = {row["probe"] for row in verdict["rows"]}
        assert probes >= {"b1_s16", "b1_s128", "b4_s16", "b4_s128", "b4_s16 rows alone", "b4_s128 rows alone"}


def test_tensorflow_loads_it_and_any_batch_gets_what_numpy_computes(with_head, tiny_weights, tmp_path):
    questions = [question(batch, FREE_LENGTH) for batch in (1, 3)]
    bert = NumpyBert(tiny_weights, heads=CONFIG["num_attention_heads"], activation="erf")
    for asked, found in zip(questions, answer(with_head.folder, tmp_path / "runs", questions), strict=True):
        wanted = bert.answer(asked)["probabilities"]
        assert found["probabilities"].shape == wanted.shape
        assert np.abs(found["probabilities"] - wanted).max() < 1e-5


def test_nothing_of_training_is_left(with_head):
    random = [name for name, node in with_head.nodes.items() if node["op"].startswith("Random")]
    assert [name for name in random if name in with_head.facts["needed"]] == []
    assert "Softmax" in with_head.compute_operators


@pytest.mark.whole
def test_the_form_of_gelu_is_the_checkpoints(bertbuild, foreign):
    operators = {}
    for form in ("erf", "tanh"):
        built = bertbuild.ok("export", "--checkpoint", foreign / f"meta_{form}")
        assert built.verdict("saved-model")["passed"]
        operators[form] = LoadedSavedModel(built.last["targets"][0]["path"]).compute_operators
    assert operators["erf"]["Erf"] == CONFIG["num_hidden_layers"]
    assert "Erf" not in operators["tanh"]
    assert operators["tanh"]["Tanh"] == CONFIG["num_hidden_layers"] + 1


def test_a_second_export_finds_all_done(bertbuild, tiny, tiny_exported):
    again = bertbuild.ok("export", "--checkpoint", tiny)
    assert again.ids("started") == []
    assert again.last == tiny_exported.last


@pytest.mark.whole
def test_two_empty_stores_get_the_same_bytes(bertbuild, tiny, tiny_exported, tmp_path):
    again = Bertbuild(tmp_path / "artifacts").ok("export", "--checkpoint", tiny)
    assert "export" in again.ids("done")
    one, other = (bertbuild.out("tiny", "saved-model"), tmp_path / "artifacts" / "out" / "tiny" / "saved-model")
    for file in FILES:
        assert (one / file).read_bytes() == (other / file).read_bytes()
    assert again.last["targets"][0]["key"] == tiny_exported.last["targets"][0]["key"]


WRONG = {
    "a length beyond the position table": (("--seq-len", 161), "position table of 160"),
    "a length below zero": (("--seq-len", -1), "must be at least 0"),
    "an unknown output": (("--output", "labels"), "pooled, sequence, all-layers, logits, probabilities"),
    "an output of another head": (("--output", "start_logits"), "no span head"),
    "two sources": (("--model", "minilm-l6"), "one source"),
}


@pytest.mark.parametrize("case", WRONG)
def test_flags_that_cannot_be_meant_are_refused_before_any_stage(bertbuild, tiny, case):
    flags, word = WRONG[case]
    outcome = bertbuild("export", "--checkpoint", tiny, *flags)
    assert outcome.code == 2
    assert outcome.last["error"] == "UsageError"
    assert word in outcome.last["message"]
    assert outcome.last["next_step"]
    assert outcome.ids("started") == []


def test_probabilities_of_a_checkpoint_without_a_head_are_refused(bertbuild, bare):
    error = bertbuild.refused("export", "--checkpoint", bare, "--output", "probabilities", code=2)
    assert "output_weights" in error["message"]
