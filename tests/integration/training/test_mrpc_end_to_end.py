"""MRPC from its files to a table of accuracies: MiniLM cut to two layers, trained for some steps, as every target."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from program import ROOT, arrays
from tiny_models import write_google

from bertbuild.checkpoint.bundle import CheckpointReader

pytestmark = pytest.mark.whole

MRPC = ROOT.parent / "shared" / "data" / "glue" / "MRPC"
HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
WORDS = ("bank", "shares", "fell", "ten", "percent", "monday", "after", "told", "loss", "report", "new", "city")
OTHERS = ("river", "green", "music", "seven")
TARGETS = ("tf1", "frozen", "ir-fp32", "ir-fp16", "neuron-ready-float32", "neuron-ready-float16", "tf2")


def write_like_mrpc(folder):
    """Files of MRPC's form where there is no MRPC: a sentence and the same words again, or other ones."""
    folder.mkdir()
    chance = random.Random(5)  # noqa: S311 - no secret
    for split, count in (("train", 640), ("dev", 64)):
        rows = []
        for number in range(count):
            first = chance.sample(WORDS, 9)
            label = number % 2
            second = chance.sample(first, 8) if label else chance.choices(OTHERS, k=8)
            rows.append(f"{label}\t{number}\t{number}\t{' '.join(first)}\t{' '.join(second)}\n")
        (folder / f"{split}.tsv").write_text(HEADER + "".join(rows))


@pytest.fixture(scope="module")
def cut(bertbuild, minilm, session_folder):
    """MiniLM's embeddings, pooler, and first two layers of six."""
    assert minilm.code == 0
    steps = {step["id"]: step for step in bertbuild.record("minilm-l6", "ir-fp32")["steps"]}
    source = bertbuild.artifacts / steps["ir-fp32"]["inputs"]["checkpoint"]["path"]
    reader = CheckpointReader(source / "bert_model.ckpt")
    kept = [name for name in reader.entries if "/layer_" not in name or "/layer_0/" in name or "/layer_1/" in name]
    config = json.loads((source / "bert_config.json").read_text()) | {"num_hidden_layers": 2}
    folder = write_google(session_folder / "minilm-cut", {name: reader.tensor(name) for name in kept}, config=config)
    (folder / "vocab.txt").write_bytes((source / "vocab.txt").read_bytes())
    return folder


@pytest.fixture(scope="module")
def prepared(bertbuild, cut, session_folder):
    """The real MRPC where it is; sequences of 64, which cut off the end of one pair in ten."""
    data = session_folder / "like-mrpc"
    if MRPC.is_dir():
        data = bertbuild.ok("fetch-data", "--task", "MRPC", "--from", MRPC.parents[1]).last["folders"]["MRPC"]
    else:
        write_like_mrpc(data)
    words = ("--task", "MRPC", "--data", data, "--checkpoint", cut, "--max-seq-length", "64")
    return bertbuild.ok("prepare-data", *words).last["path"]


@pytest.fixture(scope="module")
def tuned(bertbuild, cut, prepared):
    flags = ("--num-train-epochs", "0.4", "--learning-rate", "1e-4", "--eval-batch-size", "32", "--do-predict", "false")
    return bertbuild.ok("finetune", "--checkpoint", cut, "--prepared", prepared, *flags)


def test_training_lowers_the_loss(tuned):
    losses = json.loads((Path(tuned.last["path"]) / "history.json").read_text())["loss"]
    assert losses[-1] < losses[0]


def test_every_target_is_as_accurate_as_the_checkpoint(bertbuild, tuned, prepared):
    found = bertbuild.ok("evaluate", "--checkpoint", tuned.last["path"], "--prepared", prepared)
    (evaluation,) = found.of("evaluation")
    rows = {row["target"]: row for row in evaluation["targets"]}
    assert set(rows) == set(TARGETS)
    accuracy = rows["tf1"]["metrics"]["accuracy"]
    assert accuracy == pytest.approx(tuned.last["eval"]["eval_accuracy"], abs=1e-6)
    assert all(abs(row["metrics"]["accuracy"] - accuracy) <= 0.01 for row in rows.values())
    assert all(row["agreement"] >= 0.99 for row in rows.values())


def test_predict_answers_the_dev_set_from_its_text_as_evaluate_does(bertbuild, tuned, prepared, tmp_path):
    (evaluation,) = bertbuild.ok(
        "evaluate", "--checkpoint", tuned.last["path"], "--prepared", prepared, "--target", "ir-fp32"
    ).of("evaluation")
    (row,) = [row for row in evaluation["targets"] if row["target"] == "ir-fp32"]
    asked = arrays(bertbuild.artifacts / "objects" / "openvino-infer" / row["keys"]["answers"] / "answers.npz")
    bertbuild.ok("build-ir", "--checkpoint", tuned.last["path"], "--name", "tuned-mrpc")
    dev = MRPC / "dev.tsv"
    if not dev.is_file():
        write_like_mrpc(tmp_path / "again")
        dev = tmp_path / "again" / "dev.tsv"
    columns = ("--text-column", "#1 String", "--text-pair-column", "#2 String")
    told = bertbuild.ok("predict", "--target", "tuned-mrpc/ir-fp32", "--file", dev, *columns).last["answers"]
    shares = np.array([list(one["probabilities"].values()) for one in told])
    assert len(shares) == evaluation["examples"]
    assert (shares.argmax(1) == asked["probabilities"].argmax(1)).all()
    np.testing.assert_allclose(shares, asked["probabilities"], atol=1e-5)
