from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import CONFIG, huggingface_name, huggingface_tensors, weights, write_huggingface

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.graph.graphdef import read_meta_graph
from bertbuild.graph.published import placeholders, published_form

pytestmark = pytest.mark.integration


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
    assert inspection["warnings"] == []
    assert inspection["heads"]["classifier_labels"] == 3
    assert inspection["graph"]["gelu"] == "erf"
    assert inspection["graph"]["published_form"] == {"batch": 1, "seq_len": 128}


def test_every_tensor_has_googles_name_and_orientation_and_its_own_numbers(inspection, tensors):
    found = imported_tensors(inspection)
    assert found.keys() == tensors.keys()
    for name, wanted in tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], wanted, err_msg=name)


def test_the_meta_holds_just_the_three_published_placeholders(inspection):
    graph = read_meta_graph(inspection["prefix"] + ".meta")
    fed = [info for info in placeholders(graph) if info.dtype != "string"]
    assert [(info.name, info.dtype, info.shape) for info in fed] == [
        (name, "int32", (1, 128)) for name in ("Placeholder", "Placeholder_1", "Placeholder_2")
    ]
    assert published_form(graph).roles == {
        "input_ids": "Placeholder:0",
        "input_mask": "Placeholder_1:0",
        "segment_ids": "Placeholder_2:0",
    }


def test_its_classifier_gives_probabilities_that_pass_the_gate(bertbuild, session_folder, inspection):
    assert inspection["sound"]
    built = bertbuild.ok("build-ir", "--checkpoint", session_folder / "imported", "--output", "probabilities")
    target = built.last["targets"][0]["target"]
    assert built.verdict(target)["passed"]
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
    assert any("float16, widened to float32" in note for note in outcome.notes)


def test_tanh_gelu_of_a_hugging_face_config_is_kept(bertbuild, tmp_path, tensors):
    folder = write_huggingface(tmp_path / "gelu_new", huggingface_tensors(tensors), hidden_act="gelu_new")
    inspection = bertbuild.ok("inspect", "--checkpoint", folder).last["inspection"]
    assert inspection["graph"]["gelu"] == "tanh"
    assert inspection["config"]["hidden_act"] == "gelu"


def refusal(bertbuild, folder):
    """The one sentence in which the import stage refuses a folder."""
    error = bertbuild.refused("build-ir", "--checkpoint", folder, code=13)
    assert "Traceback" not in error["details"]
    assert len(error["details"].strip().splitlines()) == 1
    return error["details"]


def test_another_layer_norm_epsilon_is_refused_in_one_sentence(bertbuild, tmp_path, tensors):
    folder = write_huggingface(tmp_path / "epsilon", huggingface_tensors(tensors), layer_norm_eps=1e-5)
    sentence = refusal(bertbuild, folder)
    assert "layer_norm_eps is 1e-05" in sentence
    assert "1e-12" in sentence


def test_a_missing_tensor_is_refused_by_name(bertbuild, tmp_path, tensors):
    name = "bert/encoder/layer_1/output/dense/kernel"
    theirs = huggingface_tensors(tensors)
    del theirs[huggingface_name(name)]
    assert name in refusal(bertbuild, write_huggingface(tmp_path / "missing", theirs))


def test_a_tensor_of_another_shape_is_refused_by_name(bertbuild, tmp_path, tensors):
    theirs = huggingface_tensors(tensors)
    theirs["encoder.layer.0.intermediate.dense.weight"] = np.zeros((CONFIG["hidden_size"], 48), np.float32)
    sentence = refusal(bertbuild, write_huggingface(tmp_path / "wrong_shape", theirs))
    assert "bert/encoder/layer_0/intermediate/dense/kernel" in sentence
    assert "[32, 64]" in sentence
