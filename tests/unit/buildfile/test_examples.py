"""examples/: the fleet, and the checkpoints it builds from."""

from __future__ import annotations

import csv
import hashlib
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from bertbuild.buildfile.load import load_build_file
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.project import ROOT

EXAMPLES = ROOT / "examples"
make_checkpoints = runpy.run_path(str(EXAMPLES / "make_checkpoints.py"))["main"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples") / "checkpoints"
    make_checkpoints(folder)
    return folder


def digests(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_fleet_is_six_models_of_five_targets(checkpoints):
    fleet = load_build_file(EXAMPLES / "fleet.toml")
    assert len(fleet.models) == 6
    for model in fleet.models:
        assert [target.name for target in model.targets] == [
            "frozen",
            "ir-fp32",
            "ir-fp16",
            "neuron-ready",
            "savedmodel",
        ]
        assert (checkpoints / Path(model.source.checkpoint).name).exists()
    assert {path.name for path in checkpoints.iterdir()} == {
        Path(model.source.checkpoint).name for model in fleet.models
    }


def test_own_data_have_the_columns_and_labels_that_the_recipe_names():
    _, reviews = load_build_file(EXAMPLES / "own-data.toml").models
    named = reviews.source.named
    with Path(named.data).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (named.task, list(rows[0])) == ("own", [named.text_column, named.label_column])
    assert {row[named.label_column] for row in rows} == set(named.labels.split(","))
    assert all(row[named.text_column] for row in rows)
    assert 0 < len(rows) * float(named.dev_share) < len(rows)


def test_checkpoints_are_small_sound_and_the_same_every_time(checkpoints):
    before = digests(checkpoints)
    make_checkpoints(checkpoints)
    assert digests(checkpoints) == before
    assert all(path.stat().st_size < 200_000 for path in checkpoints.rglob("*") if path.is_file())
    assert len(before) == 4 * 4 + 3 + 1
    facts = {
        name: inspect_checkpoint(checkpoints / name)
        for name in ("two-layers", "four-layers", "three-heads", "classifier")
    }
    assert all(inspection.sound for inspection in facts.values())
    assert facts["classifier"].to_json()["heads"]["classifier_labels"] == 3
    heads = facts["three-heads"].to_json()["config"]
    assert (heads["num_attention_heads"], heads["hidden_size"]) == (3, 36)
    assert [facts[name].to_json()["config"]["num_hidden_layers"] for name in facts] == [2, 4, 1, 3]


def test_the_hugging_face_folder_is_as_safetensors_are(checkpoints):
    content = (checkpoints / "huggingface" / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    entry = header["encoder.layer.1.intermediate.dense.weight"]
    assert (entry["dtype"], entry["shape"]) == ("F32", [64, 32])
    first, last = entry["data_offsets"]
    assert np.isfinite(np.frombuffer(content[begin + first : begin + last], "<f4")).all()
    assert begin + max(entry["data_offsets"][1] for entry in header.values()) == len(content)
