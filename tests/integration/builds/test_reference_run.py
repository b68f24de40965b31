"""TensorFlow 1's stages in TensorFlow 1.15 and in 2.20: the same graphs, the same answers, each reads both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from prepared_folders import features, write_prepared
from tf2_models import together
from tiny_models import weights, write_google

from bertbuild.gate.graph_hash import graph_hash

pytestmark = pytest.mark.integration

OUTPUTS = "pooled,sequence,probabilities"
OF = {"1.15": "TensorFlow 1.15.5", "2.20": "TensorFlow 2.20.0 in v1 mode"}
VERSIONS = 5
"""Bytes of a GraphDef's last field: the version of the TensorFlow that wrote it."""


def path(outcome):
    (target,) = outcome.last["targets"]
    return Path(target["path"])


@pytest.fixture(scope="module")
def frozen(bertbuild, tiny):
    """One checkpoint frozen in each TensorFlow, and judged by it; the program's outcomes by reference."""

    def freeze(reference):
        words = ("--checkpoint", tiny, "--name", f"frozen-{reference}", "--output", OUTPUTS)
        return bertbuild.ok("freeze", *words, "--reference", reference)

    return dict(zip(OF, together(freeze, [(reference,) for reference in OF]), strict=True))


@pytest.fixture(scope="module")
def exported(bertbuild, tiny):
    """The SavedModel that TensorFlow 2.20 exports."""
    return bertbuild.ok("export", "--checkpoint", tiny, "--name", "exported-2.20", "--reference", "2.20")


def ran_in(bertbuild, outcome, step):
    """The TensorFlow that a step of an outcome's target ran in, as the stage says itself."""
    (target,) = outcome.last["targets"]
    folder = bertbuild.result(outcome.last["model"], target["target"], step)
    return json.loads((folder / "stage.json").read_text())["packages"]["tensorflow"]


@pytest.mark.parametrize("reference", OF)
def test_all_runs_in_the_tensorflow_that_was_asked_for_and_the_verdict_names_it(bertbuild, frozen, reference):
    outcome = frozen[reference]
    version = {"1.15": "1.15.5", "2.20": "2.20.0"}[reference]
    assert {ran_in(bertbuild, outcome, step) for step in ("reference", "frozen-infer")} == {version}
    (verdict,) = outcome.of("verdict")
    assert verdict["references"] == outcome.last["targets"][0]["references"] == [OF[reference]]
    assert verdict["one_tensorflow"]


def test_a_frozen_graph_is_the_same_with_all_weights_but_for_the_version(frozen, tmp_path):
    hashes = []
    for outcome in frozen.values():
        graph = (path(outcome) / "inference_graph.pb").read_bytes()
        (tmp_path / "inference_graph.pb").write_bytes(graph[:-VERSIONS])
        hashes.append(graph_hash(tmp_path / "inference_graph.pb"))
    assert hashes[0] == hashes[1]


def test_the_source_answers_alike(bertbuild, frozen):
    """The weights are a dozen times those of a trained model; half of what the gate allows."""
    one, two = (
        bertbuild.answers(outcome.last["model"], outcome.last["targets"][0]["target"], "reference")
        for outcome in frozen.values()
    )
    assert farthest(one, two) <= 5e-6


def farthest(one, two):
    """The largest absolute difference of two sets of answers that have the same names."""
    assert one.keys() == two.keys()
    return max(float(np.abs(one[name] - two[name]).max()) for name in one)


@pytest.mark.parametrize(("made", "read"), [("1.15", "2.20"), pytest.param("2.20", "1.15", marks=pytest.mark.whole)])
def test_each_reads_the_others_frozen_graph(bertbuild, frozen, made, read):
    graph = path(frozen[made]) / "inference_graph.pb"
    outcome = bertbuild.ok("build-ir", "--frozen", graph, "--name", f"of-{made}", "--reference", read)
    assert outcome.of("verdict")[0]["references"] == [OF[read]]
    assert ran_in(bertbuild, outcome, "extract") == {"1.15": "1.15.5", "2.20": "2.20.0"}[read]


@pytest.mark.whole
def test_1_15_and_neuron_ready_read_a_saved_model_of_2_20(bertbuild, exported):
    assert exported.of("verdict")[0]["references"] == [OF["2.20"]]
    words = ("--saved-model", path(exported), "--compute", "float32", "--name", "ready-of-2.20")
    ready = bertbuild.ok("neuron-ready", *words)
    assert ready.of("verdict")[0]["references"] == [OF["1.15"]]


@pytest.mark.whole
def test_a_meta_of_2_20_is_converted_as_it_is(bertbuild, tiny):
    words = ("--checkpoint", tiny, "--route", "static", "--name", "static-2.20", "--reference", "2.20")
    outcome = bertbuild.ok("build-ir", *words)
    assert ran_in(bertbuild, outcome, "metagraph") == "2.20.0"


@pytest.mark.whole
def test_the_way_by_a_saved_model_goes_without_1_15(bertbuild, tiny):
    words = ("--checkpoint", tiny, "--route", "savedmodel", "--name", "savedmodel-2.20", "--reference", "2.20")
    outcome = bertbuild.ok("build-ir", *words)
    assert ran_in(bertbuild, outcome, "reference") == "2.20.0"
    assert outcome.of("verdict")[0]["references"] == [OF["2.20"]]


@pytest.mark.whole
def test_evaluate_goes_without_1_15(bertbuild, session_folder):
    tuned = write_google(session_folder / "tuned-2.20", weights(seed=4, labels=2))
    inputs = features(6, length=16, vocab_size=60)
    labels = np.array([0, 1, 0, 1, 0, 1])
    prepared = write_prepared(session_folder / "data-2.20", inputs, labels, padding_rows=2, vocab=tuned / "vocab.txt")
    words = ("--checkpoint", tuned, "--prepared", prepared, "--target", "frozen", "--reference", "2.20")
    (facts,) = bertbuild.ok("evaluate", *words).of("evaluation")
    assert facts["reference"] == OF["2.20"]
    assert [(row["target"], row["agreement"], row["passed"]) for row in facts["targets"]] == [
        (name, 1.0, True) for name in ("tf1", "frozen")
    ]


@pytest.mark.whole
def test_to_tensorflow_2_and_back_goes_without_1_15_and_1_15_reads_the_checkpoint(bertbuild, bare):
    there = bertbuild.ok("convert-tf2", "--checkpoint", bare, "--name", "there-2.20", "--reference", "2.20")
    (verdict,) = there.of("verdict")
    assert (verdict["references"], verdict["one_tensorflow"]) == ([OF["2.20"]], True)
    folder = Path(there.last["path"]).parent
    back = bertbuild.ok("convert-tf1", "--tf2", folder, "--name", "back-2.20", "--reference", "2.20")
    assert back.of("verdict")[0]["references"] == ["TensorFlow 2.20.0"]
    folder = Path(back.last["path"]).parent
    again = bertbuild.ok("freeze", "--checkpoint", folder, "--name", "again-1.15", "--reference", "1.15")
    (row,) = again.of("verdict")[0]["answered_by"]
    assert row["what"] == "the checkpoint's own graph (bert_model.ckpt.meta)"  # which 2.20 wrote


@pytest.mark.whole
def test_on_a_real_model_both_judge_and_are_no_farther_apart_than_a_millionth(bertbuild, minilm):
    assert minilm.verdict("ir-fp32")["references"] == ["TensorFlow 2.20.0"]  # its folder, in transformers' classes
    outcome = bertbuild.ok("build-ir", "--model", "minilm-l6", "--reference", "both")
    assert "reference-2.20" in outcome.ids("done")
    assert outcome.last["targets"][0]["references"] == list(OF.values())
    one, two = (bertbuild.answers("minilm-l6", "ir-fp32", step) for step in ("reference", "reference-2.20"))
    assert farthest(one, two) <= 1e-6
    kept = bertbuild.ok("build-ir", "--model", "minilm-l6")
    assert kept.last["targets"][0]["references"] == list(OF.values()), "who judged it before still does"
    bertbuild.ok("build-ir", "--model", "minilm-l6", "--replace")  # as other tests know it
