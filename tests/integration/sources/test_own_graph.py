"""The reference is the checkpoint's own graph: a training one, fed behind its pipeline, its dropout made identity."""

from __future__ import annotations

import json
import shutil

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


UPSTREAM = "google-research/bert's run_classifier.py"
OTHERS = {
    "other": CASES["run-classifier"],
    "none": CASES["run-classifier"],
    "layers": ("start_logits,all-layers", f"span:{OF_SQUAD}"),
    "python": CASES["run-classifier"],
    "tpu": CASES["run-classifier"],
    "aside": CASES["run-classifier"],
}
TRANSPOSE = "bert/encoder/layer_1/attention/self/einsum_1/transpose_1"
"""A node that all answers need, and that tells nothing of a graph's form."""


def asked(backend, folders, probes, out):
    """Name → answers, and the rows of reference.json, of checkpoints asked in one process of a backend."""
    request = [
        {"name": name, "folder": folder, "output": output, "heads": heads}
        for name, folder in folders.items()
        for output, heads in [{**CASES, **OTHERS}[name]]
    ]
    rows = run_script(backend, "own_answers", root=ROOT, probes=probes, out=out, cases=request)
    return {name: (dict(np.load(out / f"{name}.npz")), rows[name]) for name in folders}


@pytest.fixture(scope="module")
def in_1(head_graphs, probes, tmp_path_factory):
    """What TensorFlow 1.15 was told of all cases: training graphs, and copies of them with another .meta, or none."""
    folder = tmp_path_factory.mktemp("own-graph")
    source = head_graphs / "run-classifier"
    aside = node_message("aside", "WriteFile", ["bert/pooler/dense/Tanh"])
    content = (source / "bert_model.ckpt.meta").read_bytes()
    metas = {
        "other": (head_graphs / "tokens" / "bert_model.ckpt.meta").read_bytes(),
        "none": None,
        "python": edited(content, {TRANSPOSE: "PyFunc"}),
        "tpu": edited(content, {TRANSPOSE: "TPUReplicatedInput"}),
        "aside": edited(content, {}, aside),
    }
    folders = {name: head_graphs / name for name in CASES} | {"layers": head_graphs / "run-squad"}
    for name, meta in metas.items():
        folders[name] = copied(source, folder / name, meta)
    return asked("tf1", folders, probes, folder)


def copied(folder, to, meta):
    """A checkpoint with another .meta, or none."""
    shutil.copytree(folder, to)
    (to / "bert_model.ckpt.meta").unlink()
    if meta is not None:
        (to / "bert_model.ckpt.meta").write_bytes(meta)
    return to


def check(head_graphs, probes, found):
    """Each head's answers are those of NumPy, and its own graph's."""
    for name in CASES:
        answers, rows = found[name]
        assert [(row["what"], row["why"]) for row in rows] == [(OWN, "")], name
        for probe in json.loads(probes.read_text())["probes"]:
            inputs = {role: np.array(probe[role]) for role in ("input_ids", "input_mask", "segment_ids")}
            wanted = expected(head_graphs / name, inputs)
            for output in rows[0]["outputs"]:
                answer = answers[f"{probe['name']}/{output}"]
                assert answer.shape == wanted[output].shape, (name, output)
                assert np.abs(answer - wanted[output]).max() <= NEAR, (name, output)


def test_a_training_graph_answers_as_numpy_does(head_graphs, probes, in_1):
    check(head_graphs, probes, in_1)


@pytest.mark.whole
def test_a_training_graph_answers_so_in_tensorflow_2_too(head_graphs, probes, tmp_path):
    check(head_graphs, probes, asked("tf2", {name: head_graphs / name for name in CASES}, probes, tmp_path))


def test_why_it_is_another_reference_is_told(in_1):
    """A .meta of another model, none at all, and what is not asked of it."""
    rows = {name: rows for name, (_, rows) in in_1.items()}
    assert [(row["what"], row["outputs"], row["why"]) for row in rows["none"]] == [
        ("google-research/bert's modeling.py", ["pooled_output", "sequence_output"], ""),
        (UPSTREAM, ["logits", "probabilities"], ""),
    ]
    (row,) = (row for row in rows["other"] if "probabilities" in row["outputs"])
    assert row["what"] == UPSTREAM
    assert "is of another model: output_weights has shape [9, 16] in it, and [3, 16] in the checkpoint" in row["why"]
    assert [(row["what"], row["outputs"]) for row in rows["layers"]] == [
        (OWN, ["start_logits"]),
        ("google-research/bert's modeling.py", ["layer_*_output"]),
    ]


def test_operators_that_may_not_run_are_told_by_name_or_cut_away(in_1):
    """Nothing of them runs: where the answers need them google-research/bert's code answers."""
    assert {row["what"] for row in in_1["aside"][1]} == {OWN}
    for name, words in (("python", "PyFunc, which runs Python"), ("tpu", "TPUReplicatedInput, which is of a TPU")):
        (row,) = (row for row in in_1[name][1] if "probabilities" in row["outputs"])
        assert row["what"] == UPSTREAM
        assert f"is computed by {words}" in row["why"]


WRONG = """
from bertbuild.model import heads as _heads

_heads.ANSWERS["{kind}"] = _heads.ANSWERS["{other}"]
_heads.OF_SEQUENCE = tuple(kind for kind in _heads.OF_SEQUENCE if kind != "{kind}")
"""


@pytest.mark.parametrize(
    ("name", "kind", "other"),
    [
        ("multi-label", "multi-label", "classifier"),
        pytest.param("tokens", "tokens", "classifier", marks=pytest.mark.whole),
    ],
)
def test_softmax_for_sigmoid_and_pooled_for_sequence_fail_the_gate(altered, head_graphs, name, kind, other):
    program = altered("data", "freeze", WRONG.format(kind=kind, other=other))
    outcome = program("freeze", "--checkpoint", head_graphs / name, "--name", f"wrong-{name}")
    assert outcome.code == 20
    (verdict,) = outcome.of("verdict")
    assert not verdict["passed"]
    assert verdict["answered_by"][0]["what"] == OWN  # probes longer than it takes are asked of another
    assert "does not answer like its source" in outcome.last["message"]


@pytest.mark.whole
@pytest.mark.parametrize("reference", ["1.15", "2.20"])
@pytest.mark.parametrize("name", CASES)
def test_every_head_is_frozen_and_judged_by_its_own_graph(bertbuild, head_graphs, name, reference):
    words = ("--checkpoint", head_graphs / name, "--name", f"own-{name}-{reference}", "--reference", reference)
    (verdict,) = bertbuild.ok("freeze", *words).of("verdict")
    assert verdict["answered_by"][0]["what"] == OWN  # probes longer than it takes are asked of another
    assert {row["max_abs"] <= NEAR for row in verdict["rows"]} == {True}
