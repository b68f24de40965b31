"""A checkpoint that is not as google-research/bert saves it is written again, and every number is the source's."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import TINY, tiny_tensors
from first_format import write_v1
from test_slices import partition

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.folder import find_checkpoint
from bertbuild.checkpoint.inspection import require_sound
from bertbuild.checkpoint.plain import as_float32, write_plain
from bertbuild.checkpoint.reading import Choice
from bertbuild.errors import CheckpointError

HEAD = {"output_weights": np.ones((3, 8), np.float32), "output_bias": np.ones(3, np.float32)}
ENCODER = tiny_tensors()


def plain(folder, out, choice=Choice()):  # noqa: B008 - it never changes
    """What is written of a folder: name → value; it must be sound and plain."""
    out.mkdir()
    write_plain(find_checkpoint(folder), choice, out / "bert_model.ckpt")
    assert require_sound(out).plain
    reader = CheckpointReader(out / "bert_model.ckpt")
    return {name: reader.tensor(name) for name in reader.entries}


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], value), name


def test_another_scope(make, tmp_path):
    moved = {f"module/{name}": value for name, value in ENCODER.items()}
    folder = make(moved | HEAD | {"crf/transitions": np.ones(4, np.float32), "global_step": np.array(3)})
    (folder / "task.json").write_text('{"task": "MRPC"}')
    same(plain(folder, tmp_path / "out"), ENCODER | HEAD)
    record = json.loads((tmp_path / "out" / "normalised.json").read_text())
    assert record["left_out"] == ["crf/transitions"]
    assert {row["source"] for row in record["variables"]} == {*moved, *HEAD}
    for name in ("bert_config.json", "vocab.txt", "task.json"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize(
    ("prefix", "beside", "taken"),
    [("bert_model.ckpt", True, True), ("model.ckpt-9", True, False), ("model.ckpt-9", False, True)],
)
def test_the_task_of_a_checkpoint_goes_with_no_other_of_its_folder(make, tmp_path, prefix, beside, taken):
    folder = make({f"module/{name}": value for name, value in ENCODER.items()})
    for path in list(folder.glob("bert_model.ckpt.*")):
        path.with_name(path.name.replace("bert_model.ckpt", "model.ckpt-9")).write_bytes(path.read_bytes())
        if not beside:
            path.unlink()
    (folder / "task.json").write_text('{"task": "MRPC"}')
    plain(folder / prefix, tmp_path / "out")
    assert (tmp_path / "out" / "task.json").exists() == taken


def test_moving_averages(make, tmp_path):
    averages = {f"{name}/ExponentialMovingAverage": value * 2 for name, value in ENCODER.items()}
    folder = make(ENCODER | averages | HEAD)
    found = plain(folder, tmp_path / "out", Choice(ema=True))
    same(found, {name: value * 2 for name, value in ENCODER.items()} | HEAD)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_precisions(make, tmp_path, dtype):
    other = {name: value.astype(dtype) for name, value in ENCODER.items()}
    same(plain(make(other), tmp_path / "out"), {name: value.astype(np.float32) for name, value in other.items()})


def test_bfloat16_is_the_upper_half_of_a_float32():
    values = np.array([1.0, -2.5, 0.0, np.inf, 3.140625], np.float32)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    assert np.array_equal(as_float32(halves, "bfloat16", "x"), values)


def test_a_number_beyond_float32_is_refused():
    assert np.isinf(as_float32(np.array([np.inf]), "float64", "x"))
    with pytest.raises(CheckpointError, match="x holds numbers that float32 cannot") as raised:
        as_float32(np.array([1.0, 1e300]), "float64", "x")
    assert raised.value.next_step


def test_partitioned_variables(make, tmp_path):
    folder = make(ENCODER)
    partition(folder, ["bert/embeddings/word_embeddings"])
    same(plain(folder, tmp_path / "out"), ENCODER)


def test_the_first_format(tmp_path):
    (tmp_path / "old").mkdir()
    write_v1(tmp_path / "old" / "bert_model.ckpt", ENCODER | HEAD, parts=3)
    (tmp_path / "old" / "bert_config.json").write_text(json.dumps(TINY))
    same(plain(tmp_path / "old", tmp_path / "out"), ENCODER | HEAD)


def test_what_only_the_meta_tells_goes_into_the_configuration(make, tmp_path, monkeypatch):
    from bertbuild.checkpoint import plain as module
    from bertbuild.checkpoint.graph_facts import GraphFacts

    monkeypatch.setattr(module, "graph_facts", lambda _meta: GraphFacts(gelu="tanh", epsilon=1e-5))
    folder = make({f"module/{name}": value for name, value in ENCODER.items()})
    plain(folder, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "bert_config.json").read_text())
    assert written == TINY | {"hidden_act": "gelu_new", "layer_norm_eps": 1e-5}


def test_what_was_written_is_read_back(make, tmp_path, monkeypatch):
    from bertbuild.checkpoint import plain as module

    monkeypatch.setattr(module, "CheckpointReader", Wrong)
    folder = make({f"module/{name}": value for name, value in ENCODER.items()})
    (tmp_path / "out").mkdir()
    with pytest.raises(CheckpointError, match="came back with other bits"):
        write_plain(find_checkpoint(folder), Choice(), tmp_path / "out" / "bert_model.ckpt")


class Wrong(CheckpointReader):
    """A reader of a disk that gives other bits."""

    def tensor(self, name):
        """The tensor, wrong."""
        return super().tensor(name) + 1
