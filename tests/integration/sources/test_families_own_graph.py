"""The own graphs of ALBERTs and ELECTRAs, as their training leaves them, answer first for what is made of them."""

from __future__ import annotations

import json

import family_models
import pytest
from backends import run as run_script
from family_models import ALBERT_CONFIG, ALBERT_LAYER, GROUP, SIZES, H, NumpyFamily, values, write_family
from matrix import cells

pytestmark = pytest.mark.integration

CLASSES = 3
HEAD = {"output_weights": (CLASSES, H), "output_bias": (CLASSES,)}
CASES = {
    "graph-albert": {
        "shapes": family_models.albert_shapes() | HEAD,
        "config": ALBERT_CONFIG,
        "names": ALBERT_LAYER,
        "embeddings": "bert/embeddings",
        "layer": GROUP,
        "projection": "bert/encoder/embedding_hidden_mapping_in",
        "pooler": "bert/pooler/dense",
        "gelu": "tanh",
        "judge": "TFAlbert",
        "pieces": "30k-clean.model",
        "outputs": {"frozen": "probabilities,sequence", "ir": "probabilities", "onnx": "pooled", "hf": ""},
    },
    "graph-electra": {
        "shapes": family_models.electra_shapes(),
        "config": SIZES,
        "names": {part: part for part in ALBERT_LAYER},
        "embeddings": "electra/embeddings",
        "layer": "electra/encoder/layer_%d",
        "projection": "electra/embeddings_project",
        "pooler": "",
        "gelu": "erf",
        "judge": "TFElectra",
        "pieces": "",
        "outputs": {"frozen": "sequence", "ir": "sequence,replaced-token-logits", "onnx": "sequence", "hf": ""},
    },
}
COMMANDS = {"frozen": "freeze", "ir": "build-ir", "onnx": "convert-onnx", "hf": "convert-hf"}
ASKED = ("config", "names", "embeddings", "layer", "projection", "pooler", "gelu")


@pytest.fixture(scope="module")
def checkpoints(session_folder):
    """Name → a checkpoint with the .meta of its training; the variables are written by NumPy."""
    found = {}
    for name, case in cells(CASES, "graph-albert").items():
        called = "albert_config.json" if "albert" in name else "electra_config.json"
        tensors = values(case["shapes"])
        folder = write_family(session_folder / name, tensors, case["config"], config_name=called, vocab=False)
        if case["pieces"]:
            run_script("data", "make_pieces", out=folder / case["pieces"], size=family_models.V, seed=5)
        else:
            words = (f"w{one}\n" for one in range(family_models.V - 5))
            (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + "".join(words))
        asked = {key: case[key] for key in ASKED}
        run_script("tf1", "make_family_meta", out=folder / "model.ckpt-best.meta", length=16, classes=CLASSES, **asked)
        found[name] = folder
    return found


def judged(bertbuild, folder, name, kind):
    outputs = CASES[name]["outputs"][kind]
    built = bertbuild.ok(COMMANDS[kind], "--checkpoint", folder, *(("--output", outputs) if outputs else ()))
    verdict = built.verdict(built.last["target"])
    assert verdict["passed"]
    own, other = verdict["answered_by"]
    assert own["what"] == "the checkpoint's own graph (model.ckpt-best.meta)"
    assert other["what"].startswith("the given graph" if kind == "hf" else f"transformers' {CASES[name]['judge']}")
    asked = [row["probe"].partition(" with ") for row in verdict["rows"] if "alone" not in row["probe"]]
    assert {probe for probe, by, _ in asked if not by} == {"b1_s16", "b4_s16"}  # as long as it was trained with
    assert {probe for probe, by, _ in asked if by} == {"b1_s16", "b4_s16", "b1_s128", "b4_s128"}
    return built.last["target"]


def test_a_training_graph_of_an_albert_answers_first_and_its_folder_has_its_pieces(bertbuild, checkpoints):
    """A folder of convert-hf: proved by the graph, and its tokenizer by the package sentencepiece."""
    name, tensors = "graph-albert", values(CASES["graph-albert"]["shapes"])
    target = judged(bertbuild, checkpoints[name], name, "hf")
    numpy = NumpyFamily(tensors, activation="tanh")
    found = bertbuild.answers(name, target, step="own-graph")
    probes = bertbuild.probes(name, target)
    for probe in ("b1_s16", "b4_s16"):
        pooled = numpy.answer(probes[probe])["pooled_output"]
        logits = pooled @ tensors["output_weights"].T + tensors["output_bias"]
        assert abs(found[f"{probe}/logits"] - logits).max() < 2e-5
    folder = bertbuild.artifacts / "out" / name / target
    assert (folder / "spiece.model").read_bytes() == (checkpoints[name] / "30k-clean.model").read_bytes()
    told = json.loads((folder / "signature.json").read_text())
    assert (told["do_lower_case"], told["pieces"]) == (True, "spiece.model")
    assert not (folder / "vocab.txt").exists()
    gate = json.loads((bertbuild.result(name, target, "tokenizer-special") / "text_gate.json").read_text())
    assert gate["texts"] > 5000
    assert set(gate["differences"]) <= {"a pair that is cut", "capital sigma", "a digit and a comma"}
    assert json.loads((folder / "tokenizer.json").read_text())["model"]["type"] == "Unigram"


@pytest.mark.whole
@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("name", CASES)
def test_every_kind_is_judged_by_a_training_graph(bertbuild, checkpoints, name, kind):
    judged(bertbuild, checkpoints[name], name, kind)
