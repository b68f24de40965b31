from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from backends import run as run_script
from numpy_bert import NumpyBert
from program import Bertbuild
from tiny_models import CONFIG, weights, write_google

from bertbuild.checkpoint.bundle import CheckpointReader

pytestmark = pytest.mark.integration

OUTPUTS = {
    "sequence": {"sequence_output"},
    "all-layers": {"layer_0_output", "layer_1_output"},
    "probabilities": {"probabilities"},
    "pooled,sequence": {"pooled_output", "sequence_output"},
    "sequence,all-layers": {"sequence_output", "layer_0_output", "layer_1_output"},
}


def reference(bertbuild, model, target, output="probabilities"):
    answers = bertbuild.answers(model, target, "reference")
    return {name: value for name, value in answers.items() if name.endswith("/" + output) and name.count("/") == 1}


def frozen_facts(outcome):
    return json.loads((Path(outcome.last["targets"][0]["path"]) / "stage.json").read_text())["facts"]


@pytest.fixture(scope="module")
def frozen(bertbuild, tiny):
    """The frozen graph of the tiny checkpoint as TensorFlow reads it."""
    outcome = bertbuild.ok("freeze", "--checkpoint", tiny, "--output", "pooled")
    graph = Path(outcome.last["targets"][0]["path"]) / "inference_graph.pb"
    return run_script("tf1", "frozen", graph=graph, checkpoint=tiny / "bert_model.ckpt")


def test_every_weight_is_the_checkpoints_bit_for_bit(frozen, tiny):
    names = set(CheckpointReader(tiny / "bert_model.ckpt").entries)
    head = {"output_weights", "output_bias"}
    assert set(frozen["same"]) == names - head
    assert frozen["different"] == []
    assert set(frozen["missing"]) == head, "what the pooled output does not need is left out"
    assert "bert/embeddings/word_embeddings" in frozen["same"]


def test_inputs_are_free_int32_placeholders_and_the_output_has_the_published_name(frozen):
    free = {"dtype": "int32", "shape": [None, None]}
    assert frozen["placeholders"] == {"input_ids": free, "input_mask": free, "segment_ids": free}
    assert frozen["operators"]["bert/pooler/dense/Tanh"] == "Tanh"


def test_the_same_bytes_come_out_of_two_empty_stores(bertbuild, tiny, tmp_path):
    assert bertbuild.artifacts.is_dir()
    graphs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        outcome = Bertbuild(tmp_path / name / "artifacts").ok("freeze", "--checkpoint", tiny)
        assert "freeze" in outcome.ids("done")
        graphs.append((Path(outcome.last["targets"][0]["path"]) / "inference_graph.pb").read_bytes())
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize("output", OUTPUTS)
def test_each_output_passes_the_gate_and_is_what_numpy_computes(bertbuild, tiny, tiny_weights, output):
    built = bertbuild.ok("build-ir", "--checkpoint", tiny, "--output", output)
    target = built.last["targets"][0]["target"]
    rows = built.verdict(target)["rows"]
    assert {row["output"] for row in rows} == OUTPUTS[output]
    assert all(row["passed"] for row in rows)
    answers = bertbuild.answers("tiny", target)
    probes = bertbuild.probes("tiny", target)
    bert = NumpyBert(tiny_weights, heads=CONFIG["num_attention_heads"], activation="erf")
    for probe in ("b1_s16", "b4_s16"):
        wanted = bert.answer(probes[probe])
        real = probes[probe]["input_mask"].astype(bool)
        for name in OUTPUTS[output]:
            a, b = answers[f"{probe}/{name}"], wanted[name]
            assert a.shape == b.shape
            assert np.abs(a - b)[real if a.ndim == 3 else ...].max() < 1e-4


def test_the_two_forms_of_gelu_differ_and_each_answers_like_its_own_source(bertbuild, tiny, tiny_built):
    assert tiny_built.verdict("ir-fp32")["passed"]
    built = bertbuild.ok("build-ir", "--checkpoint", tiny, "--gelu", "tanh")
    assert built.verdict("ir-tanh-fp32")["passed"]
    erf, tanh = reference(bertbuild, "tiny", "ir-fp32"), reference(bertbuild, "tiny", "ir-tanh-fp32")
    assert erf.keys() == tanh.keys()
    apart = max(float(np.abs(erf[name] - tanh[name]).max()) for name in erf)
    assert 1e-4 < apart < 1e-2


@pytest.mark.parametrize("form", ["erf", "tanh"])
def test_gelu_is_read_from_the_meta(bertbuild, foreign, form):
    outcome = bertbuild.ok("freeze", "--checkpoint", foreign / f"meta_{form}")
    assert frozen_facts(outcome)["gelu"] == form
    assert not any("gelu taken as" in note for note in outcome.notes)


def test_gelu_of_a_training_meta_is_read_too(bertbuild, foreign):
    assert frozen_facts(bertbuild.ok("freeze", "--checkpoint", foreign / "finetuned"))["gelu"] == "tanh"


def test_without_a_meta_gelu_is_erf_and_a_line_says_so(fresh, tiny):
    outcome = fresh.ok("freeze", "--checkpoint", tiny)
    assert frozen_facts(outcome)["gelu"] == "erf"
    assert any("gelu taken as erf" in note and "no .meta" in note for note in outcome.notes)


def test_a_flag_wins_over_the_meta(bertbuild, foreign):
    outcome = bertbuild.ok("freeze", "--checkpoint", foreign / "meta_tanh", "--gelu", "erf")
    assert frozen_facts(outcome)["gelu"] == "erf"


def test_another_activation_than_gelu_passes_the_gate(bertbuild, session_folder):
    config = CONFIG | {"hidden_act": "relu"}
    tensors = weights(config, seed=3)
    built = bertbuild.ok("build-ir", "--checkpoint", write_google(session_folder / "relu", tensors, config=config))
    assert built.verdict("ir-fp32")["passed"]
    assert not any("gelu" in note for note in built.notes)
    bert = NumpyBert(tensors, heads=4, activation="relu")
    probe = bertbuild.probes("relu", "ir-fp32")["b4_s16"]
    found = bertbuild.answers("relu", "ir-fp32")["b4_s16/pooled_output"]
    assert np.abs(found - bert.answer(probe)["pooled_output"]).max() < 1e-5
