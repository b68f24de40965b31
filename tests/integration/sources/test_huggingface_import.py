from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import huggingface_name, huggingface_tensors, weights, write_huggingface
from torch_files import write_torch

from bertbuild.checkpoint.bundle import CheckpointReader

pytestmark = pytest.mark.integration

CLASSIFIER = "BertForSequenceClassification"


@pytest.fixture(scope="module")
def tensors():
    return weights(seed=9, labels=3)


@pytest.fixture(scope="module")
def inspection(bertbuild, session_folder, tensors):
    """What `inspect` says of an imported folder with a classifier head."""
    folder = write_huggingface(session_folder / "imported", huggingface_tensors(tensors))
    return bertbuild.ok("inspect", "--checkpoint", folder).last["inspection"]


def imported_tensors(inspection):
    reader = CheckpointReader(Path(inspection["prefix"]))
    return {name: reader.tensor(name) for name in reader.entries}


def test_inspect_finds_nothing_wrong_with_the_imported_checkpoint(inspection):
    assert inspection["sound"]
    assert inspection["problems"] == []
    (warning,) = inspection["warnings"]  # its config.json names no architecture
    assert "Nothing tells of what kind the head is" in warning
    assert inspection["heads"]["classifier_labels"] == 3
    assert inspection["config"]["hidden_act"] == "gelu"
    assert not Path(inspection["prefix"] + ".meta").exists()


def test_every_tensor_has_googles_name_and_orientation_and_its_own_numbers(inspection, tensors):
    found = imported_tensors(inspection)
    assert found.keys() == tensors.keys()
    for name, wanted in tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)


def test_its_classifier_gives_probabilities_that_pass_the_gate(bertbuild, session_folder, inspection):
    assert inspection["sound"]
    built = bertbuild.ok("build-ir", "--checkpoint", session_folder / "imported", "--output", "probabilities")
    target = built.last["targets"][0]["target"]
    verdict = built.verdict(target)
    assert verdict["passed"]
    assert "google-research/bert" in verdict["answered_by"][0]["what"]  # no class of transformers is named
    found = bertbuild.answers("imported", target)["b4_s16/probabilities"]
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)


def test_half_precision_weights_are_widened_and_a_note_says_so(bertbuild, tmp_path, tensors):
    halves = {name: value.astype(np.float16) for name, value in huggingface_tensors(tensors).items()}
    outcome = bertbuild.ok("inspect", "--checkpoint", write_huggingface(tmp_path / "halves", halves))
    found = imported_tensors(outcome.last["inspection"])
    for name, value in tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value.astype(np.float16).astype(np.float32), err_msg=name)
    assert [note for note in outcome.notes if "widened" in note] == [
        f"{len(tensors)} of {len(tensors)} tensors are float16, widened to float32"
    ]


def test_tanh_gelu_and_epsilon_of_a_hugging_face_config_are_kept(bertbuild, tmp_path, tensors):
    settings = {
        "hidden_act": "gelu_new",
        "layer_norm_eps": 1e-5,
        "architectures": [CLASSIFIER],
        "id2label": {"0": "a", "1": "b", "2": "c"},
    }
    folder = write_huggingface(tmp_path / "gelu_new", huggingface_tensors(tensors), **settings)
    built = bertbuild.ok("build-ir", "--checkpoint", folder)
    assert built.verdict("ir-fp32")["passed"]
    assert built.verdict("ir-fp32")["answered_by"][0]["what"] == f"transformers' TF{CLASSIFIER}"
    steps = {step["id"]: step for step in bertbuild.record("gelu_new", "ir-fp32")["steps"]}
    assert steps["ir-fp32"]["params"]["gelu"] == "tanh"
    found = bertbuild.ok("inspect", "--checkpoint", folder).last["inspection"]["config"]
    assert (found["gelu"], found["layer_norm_eps"]) == ("tanh", 1e-5)


def test_a_folder_for_questions_has_no_pooler_and_is_built_without_one(bertbuild, tmp_path):
    theirs = {
        f"bert.{name}": value for name, value in huggingface_tensors(weights(seed=4)).items() if "pooler" not in name
    }
    theirs |= {"qa_outputs.weight": np.ones((2, 32), np.float32), "qa_outputs.bias": np.zeros(2, np.float32)}
    folder = write_huggingface(tmp_path / "questions", {}, architectures=["BertForQuestionAnswering"])
    (folder / "model.safetensors").unlink()
    write_torch(folder / "pytorch_model.bin", theirs, older=True)
    built = bertbuild.ok("build-ir", "--checkpoint", folder, "--output", "sequence")
    assert built.verdict("ir-sequence-fp32")["passed"]
    assert "the model has no pooler, so it gives no pooled output" in built.notes
    built = bertbuild.ok("build-ir", "--checkpoint", folder)  # what it is for needs none
    assert built.verdict(built.last["target"])["answered_by"][0]["what"] == "transformers' TFBertForQuestionAnswering"
    refused = bertbuild.refused("build-ir", "--checkpoint", folder, "--output", "pooled", code=2)
    assert "no pooler" in refused["message"]


def test_what_does_not_fit_its_config_is_refused_in_one_sentence(bertbuild, tmp_path, tensors):
    theirs = huggingface_tensors(tensors)
    del theirs[huggingface_name("bert/encoder/layer_1/output/dense/kernel")]
    folder = write_huggingface(tmp_path / "missing", theirs)
    error = bertbuild.refused("build-ir", "--checkpoint", folder, code=4)
    assert error["message"] == (
        "The folder does not hold the model that it describes: "
        "the weights have no bert/encoder/layer_1/output/dense/kernel."
    )
