"""Checkpoints that are not as google-research/bert saves them, by real backends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from backends import run as run_script
from tiny_models import CONFIG, weights, write_google

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY, find_checkpoint
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.model_garden import encoder_places
from bertbuild.checkpoint.object_graph import SAVE_COUNTER, encode_object_graph, value_key
from bertbuild.checkpoint.plain import write_plain
from bertbuild.checkpoint.reading import Choice
from bertbuild.checkpoint.writer import write_checkpoint

pytestmark = pytest.mark.integration


def test_another_form_of_a_checkpoint_gives_the_same_results(bertbuild, tiny, tiny_built, tmp_path):
    """Under another scope, as moving averages, in float64: what is written again is the plain one, byte for byte."""
    assert tiny_built.code == 0
    reader = CheckpointReader(tiny / "bert_model.ckpt")
    folder = shutil.copytree(tiny, tmp_path / "averaged")
    tensors = {name: reader.tensor(name) for name in reader.entries}
    averages = {f"m/{name}/ExponentialMovingAverage": value.astype(np.float64) for name, value in tensors.items()}
    others = {f"m/{name}": value + 1 for name, value in tensors.items()}
    write_checkpoint(folder / "bert_model.ckpt", averages | others)
    built = bertbuild.ok("build-ir", "--checkpoint", folder, "--ema")
    assert {"normalise"} <= set(built.ids("done"))
    assert "reference" in built.ids("cached"), "same content, same key"
    notes = " ".join(event["text"] for event in built.events if event["event"] == "note")
    assert "taken for bert/…" in notes
    assert "cast to float32" in notes
    assert "from their moving averages" in notes


def test_without_a_pooler_what_needs_none_passes_the_gate(bertbuild, tmp_path):
    tensors = {name: value for name, value in weights(seed=9).items() if "pooler" not in name}
    folder = write_google(tmp_path / "words", tensors, config=CONFIG)
    built = bertbuild.ok("build-ir", "--checkpoint", folder, "--output", "sequence,all-layers")
    verdict = built.verdict(built.last["targets"][0]["target"])
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == {"sequence_output", "layer_0_output", "layer_1_output"}
    exported = bertbuild.ok("export", "--checkpoint", folder)
    assert exported.verdict(exported.last["targets"][0]["target"])["passed"]
    assert Path(exported.last["targets"][0]["path"], "saved_model.pb").is_file()
    refused = bertbuild("build-ir", "--checkpoint", folder, "--output", "pooled")
    assert refused.code == 2
    assert "has no pooler" in refused.last["message"]


def test_of_two_tensorflow_2_encoders_the_chosen_one_comes_back(bertbuild, tmp_path):
    """tf.train.Checkpoint(query=…, doc=…): the Model Garden's encoder restores the one that is asked for."""
    config = config_from(CONFIG, name="tiny")
    made, names, shapes = {}, {SAVE_COUNTER: "save_counter"}, {}
    for seed, root in enumerate(("query", "doc")):
        shapes[root] = weights(seed=20 + seed)
        for place in encoder_places(config, root):
            made[value_key(place.path)] = place.forth(shapes[root][place.source])
            names[place.path] = place.name
    made[value_key(SAVE_COUNTER)] = np.array(1, np.int64)
    made[OBJECT_GRAPH_KEY] = encode_object_graph(names)
    folder = tmp_path / "both"
    folder.mkdir()
    write_checkpoint(folder / "ckpt-1", made)
    (folder / "bert_config.json").write_text(json.dumps(CONFIG))
    refused = bertbuild("convert-tf1", "--tf2", folder)
    assert refused.code == 4
    assert "2 encoders: doc, query" in refused.last["message"]
    built = bertbuild.ok("convert-tf1", "--tf2", folder, "--root", "query")
    reader = CheckpointReader(built.last["path"])
    assert all(np.array_equal(reader.tensor(name), value) for name, value in shapes["query"].items())
    left = json.loads(Path(built.last["path"]).with_name("mapping.json").read_text())["left_out"]
    assert {row["reason"] for row in left} == {"of another encoder", "counter of the training"}


def test_files_of_tensorflows_saver_are_read_bit_for_bit(bertbuild, tmp_path):
    assert bertbuild.artifacts.is_dir()
    numbers = weights(seed=4) | {"long": np.arange(30522, dtype=np.float32)}
    np.savez(tmp_path / "numbers.npz", **{name.replace("/", "|"): value for name, value in numbers.items()})
    folder = tmp_path / "forms"
    folder.mkdir()
    run_script("tf1", "checkpoint_forms", numbers=tmp_path / "numbers.npz", out=folder)
    (folder / "bert_config.json").write_text(json.dumps(CONFIG))
    for name in ("v1.ckpt", "v1_parts.ckpt", "parts.ckpt", "halves.ckpt"):
        files = find_checkpoint(folder / name)
        assert files.v1 == name.startswith("v1")
        told = inspect_checkpoint(files)
        assert told.sound
        assert told.intact == len(numbers)
        out = tmp_path / f"out-{name}"
        out.mkdir()
        write_plain(files, Choice(), out / "bert_model.ckpt")
        reader = CheckpointReader(out / "bert_model.ckpt")
        for index, (own, value) in enumerate(sorted(numbers.items())):
            wanted = value.astype(np.float16).astype(np.float32) if name == "halves.ckpt" and index % 2 == 0 else value
            if own.startswith("bert/"):
                assert np.array_equal(reader.tensor(own), wanted), (name, own)
            else:
                assert own not in reader.entries
