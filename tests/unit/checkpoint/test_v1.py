"""Checkpoints of the first format: found, read, and told when they are damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import TINY, tiny_tensors
from first_format import write_v1

from bertbuild.checkpoint.checksums import Checked
from bertbuild.checkpoint.folder import find_checkpoint
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.v1 import V1Reader
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError

STEP = {"global_step": np.array([700], np.int64)}


@pytest.fixture
def first(tmp_path):
    """A folder with a whole V1 checkpoint."""
    write_v1(tmp_path / "bert_model.ckpt", tiny_tensors() | STEP)
    (tmp_path / "bert_config.json").write_text(json.dumps(TINY))
    return tmp_path


@pytest.mark.parametrize("name", ["", "bert_model.ckpt"])
def test_it_is_found_by_its_folder_and_by_its_name(first, name):
    files = find_checkpoint(first / name)
    assert files.v1
    assert files.prefix == first / "bert_model.ckpt"
    assert files.data == (first / "bert_model.ckpt",)


@pytest.mark.parametrize("parts", [1, 3])
def test_every_tensor_is_read_and_its_parts_are_joined(tmp_path, parts):
    tensors = tiny_tensors() | {"f64": np.linspace(0, 1, 7)}
    write_v1(tmp_path / "m.ckpt", tensors, parts)
    reader = V1Reader([tmp_path / "m.ckpt"])
    assert reader.entries.keys() == tensors.keys()
    for name, value in tensors.items():
        assert reader.tensor(name).dtype == value.dtype
        assert np.array_equal(reader.tensor(name), value), name
    assert reader.check() == Checked(problems=(), intact=len(tensors), not_finite=())


def test_shards_are_one_checkpoint(first):
    (first / "bert_model.ckpt").unlink()
    tensors = list(tiny_tensors().items())
    write_v1(first / "bert_model.ckpt-00000-of-00002", dict(tensors[:20]))
    write_v1(first / "bert_model.ckpt-00001-of-00002", dict(tensors[20:]))
    for path in (first, first / "bert_model.ckpt"):
        inspection = inspect_checkpoint(path)
        assert inspection.sound
        assert inspection.files.prefix.name == "bert_model.ckpt"
    (first / "bert_model.ckpt-00001-of-00002").unlink()
    assert "Of the 2 files of bert_model.ckpt only 1 is there" in inspect_checkpoint(first).problems[0]


def test_it_is_sound_and_told(first):
    inspection = inspect_checkpoint(first)
    assert inspection.sound
    assert not inspection.plain
    assert inspection.intact == 40
    assert inspection.global_step
    assert "of the first format (V1)" in inspection.warnings[0]


def test_a_folder_of_the_second_format_is_not_searched_for_the_first(first):
    write_checkpoint(first / "model.ckpt-5", tiny_tensors())
    assert find_checkpoint(first).prefix.name == "model.ckpt-5"
    assert find_checkpoint(first / "bert_model.ckpt").v1


def test_every_damage_is_told(first):
    path = first / "bert_model.ckpt"
    content = path.read_bytes()
    for place in range(0, len(content), 61):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            problems = inspect_checkpoint(first).problems
        except CheckpointError as error:  # its last bytes: it is no such file any more
            problems = (str(error),)
        assert problems, place
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            inspect_checkpoint(first)


def test_what_is_no_floating_number_is_not_read(first):
    with pytest.raises(CheckpointError, match="dtype int64") as raised:
        V1Reader([first / "bert_model.ckpt"]).tensor("global_step")
    assert "SaverDef.V2" in raised.value.next_step
    with pytest.raises(CheckpointError, match="has no tensor other"):
        V1Reader([first / "bert_model.ckpt"]).tensor("other")
