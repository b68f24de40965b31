"""The reference is the checkpoint's own graph: a training one, fed behind its pipeline, its dropout made identity."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from backends import run as run_script
from graph_builder import node_message
from hostile_graphs import edited
from numpy_bert import NumpyBert, softmax
from program import ROOT
from training_graphs import HEAD_CONFIG

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.gate.probes import make_probes

OWN = "the checkpoint's own graph (bert_model.ckpt.meta)"
LENGTH = 16
OF_1 = "output_weights:output_bias"
OF_SQUAD = "cls/squad/output_weights:cls/squad/output_bias"
CASES = {
    "run-classifier": ("pooled,sequence,logits,probabilities", f"classifier:{OF_1}"),
    "run-squad": ("start_logits,end_logits", f"span:{OF_SQUAD}"),
    "tokens": ("logits,probabilities", f"tokens:{OF_1}"),
    "multi-label": ("logits,probabilities", f"multi-label:{OF_1}"),
    "regression": ("score", f"regression:{OF_1}"),
}
NEAR = 1e-5


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def expected(folder, probe):
    """What each head of the table answers, by float64 NumPy; every name of every kind."""
    reader = CheckpointReader(folder / "bert_model.ckpt")
    tensors = {
        name: np.asarray(reader.tensor(name))
        for name in reader.entries
        if name.startswith("bert/") and "adam" not in name
    }
    found = NumpyBert(tensors, heads=HEAD_CONFIG["num_attention_heads"], activation="tanh").answer(probe)
    name = folder.name
    weights, bias = CASES[name][1].split(":")[1:]
    hidden = found["sequence_output" if name in ("tokens", "run-squad") else "pooled_output"]
    logits = hidden @ reader.tensor(weights).T.astype(np.float64) + reader.tensor(bias)
    if name == "run-squad":
        return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}
    if name == "regression":
        return {"score": logits[:, 0]}
    activation = sigmoid if name == "multi-label" else softmax
    return {**found, "logits": logits, "probabilities": activation(logits)}


@pytest.fixture(scope="module")
def probes(tmp_path_factory):
    path = tmp_path_factory.mktemp("probes") / "probes.json"
    made = make_probes(vocab_size=HEAD_CONFIG["vocab_size"], type_vocab_size=2, max_positions=LENGTH)
    path.write_text(json.dumps({"probes": made}))
    return path


def asked(backend, folders, probes, out, cases=None):
    """Answers by name, and who gave them, of checkpoints asked in one process of a backend."""
    chosen = cases or {folder.name: CASES[folder.name] for folder in folders}
    request = [
        {"name": name, "folder": folder, "output": output, "heads": heads}
        for folder, (name, (output, heads)) in zip(folders, chosen.items(), strict=True)
    ]
    rows = run_script(backend, "own_answers", root=ROOT, probes=probes, out=out, cases=request)
    return {name: (dict(np.load(out / f"{name}.npz")), rows[name]) for name in chosen}


@pytest.mark.parametrize("backend", ["tf1", pytest.param("tf2", marks=pytest.mark.whole)])
def test_a_training_graph_answers_as_numpy_does(head_graphs, probes, tmp_path, backend):
    found = asked(backend, [head_graphs / name for name in CASES], probes, tmp_path)
    for name, (answers, rows) in found.items():
        assert [(row["what"], row["why"]) for row in rows] == [(OWN, "")], name
        for probe in json.loads(probes.read_text())["probes"]:
            inputs = {role: np.array(probe[role]) for role in ("input_ids", "input_mask", "segment_ids")}
            wanted = expected(head_graphs / name, inputs)
            for output in rows[0]["outputs"]:
                answer = answers[f"{probe['name']}/{output}"]
                assert answer.shape == wanted[output].shape, (name, output)
                assert np.abs(answer - wanted[output]).max() <= NEAR, (name, output)


def test_why_it_is_another_reference_is_told(head_graphs, probes, tmp_path):
    """Another gelu, a .meta of another model, none at all, and what the graph does not compute."""
    other = copied(head_graphs / "run-classifier", tmp_path / "other", meta=head_graphs / "tokens")
    none = copied(head_graphs / "run-classifier", tmp_path / "none", meta=None)
    squad = head_graphs / "run-squad"
    classifier = f"classifier:{OF_1}"
    cases = {
        "other": ("probabilities", classifier),
        "none": ("probabilities", classifier),
        "layers": ("start_logits,all-layers", f"span:{OF_SQUAD}"),
    }
    found = asked("tf1", [other, none, squad], probes, tmp_path, cases)
    rows = {name: rows for name, (_, rows) in found.items()}
    upstream = "google-research/bert's run_classifier.py"
    assert [(row["what"], row["why"]) for row in rows["none"]] == [(upstream, "the checkpoint has no .meta")]
    (row,) = rows["other"]
    assert row["what"] == upstream
    assert "is of another model: output_weights has shape [9, 16] in it, and [3, 16] in the checkpoint" in row["why"]
    assert [(row["what"], row["outputs"]) for row in rows["layers"]] == [
        (OWN, ["start_logits"]),
        ("google-research/bert's modeling.py", ["layer_*_output"]),
    ]


TRANSPOSE = "bert/encoder/layer_1/attention/self/transpose_3"
"""A node that all answers need, and that tells nothing of a graph's form."""


def test_operators_that_may_not_run_are_told_by_name_or_cut_away(head_graphs, probes, tmp_path):
    """Nothing of them runs: where the answers need them google-research/bert's code answers."""
    source = head_graphs / "run-classifier"
    aside = node_message("aside", "WriteFile", ["bert/pooler/dense/Tanh"])
    graphs = {"python": ({TRANSPOSE: "PyFunc"},), "tpu": ({TRANSPOSE: "TPUReplicatedInput"},), "aside": ({}, aside)}
    content = (source / "bert_model.ckpt.meta").read_bytes()
    for name, changes in graphs.items():
        folder = copied(source, tmp_path / name, meta=source)
        (folder / "bert_model.ckpt.meta").write_bytes(edited(content, *changes))
    cases = dict.fromkeys(graphs, ("probabilities", f"classifier:{OF_1}"))
    found = asked("tf1", [tmp_path / name for name in graphs], probes, tmp_path, cases)
    told = {name: rows[0] for name, (_, rows) in found.items()}
    assert told["aside"]["what"] == OWN
    for name, words in (("python", "PyFunc, which runs Python"), ("tpu", "TPUReplicatedInput, which is of a TPU")):
        assert told[name]["what"] == "google-research/bert's run_classifier.py"
        assert f"is computed by {words}" in told[name]["why"]


def copied(folder, to, *, meta):
    """A checkpoint with another one's .meta, or none."""
    shutil.copytree(folder, to)
    (to / "bert_model.ckpt.meta").unlink()
    if meta is not None:
        shutil.copyfile(Path(meta) / "bert_model.ckpt.meta", to / "bert_model.ckpt.meta")
    return to
