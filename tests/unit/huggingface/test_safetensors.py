"""Safetensors files: what they hold, and each way in which one can be damaged."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tiny_models import write_safetensors

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.safetensors import read_safetensors


def bfloat16(values):
    """The upper halves of float32 numbers."""
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def test_tensors_are_read_with_their_own_numbers(tmp_path):
    chance = np.random.default_rng(1)
    full = chance.standard_normal((3, 4)).astype(np.float32)
    exact = (full.view(np.uint32) & 0xFFFF0000).view(np.float32)
    stored = {
        "full": full,
        "half": full.astype(np.float16),
        "brain": bfloat16(exact),
        "double": full.astype(np.float64),
        "scalar": np.float32(2.5).reshape(()),
        "empty": np.zeros((0, 4), np.float32),
    }
    write_safetensors(tmp_path / "model.safetensors", stored)
    found = read_safetensors(tmp_path / "model.safetensors")
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "full": "float32",
        "half": "float16",
        "brain": "bfloat16",
        "double": "float64",
        "scalar": "float32",
        "empty": "float32",
    }
    wanted = {**stored, "brain": exact, "half": full.astype(np.float16).astype(np.float32)}
    for name, tensor in found.items():
        numbers = tensor.read()
        assert numbers.dtype == np.float32
        assert numbers.flags.c_contiguous
        np.testing.assert_array_equal(numbers, wanted[name], err_msg=name)


def header(**changes):
    entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    return json.dumps({"x": {**entry, **changes}}).encode()


def file_of(text, content=bytes(16), length=None):
    return (len(text) if length is None else length).to_bytes(8, "little") + text + content


SCALAR = {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}
DAMAGED = {
    "empty": b"",
    "its length alone": b"\x02",
    "text": b"hello, this is not a model at all",
    "a header beyond the file": file_of(header(), length=10**6),
    "a header beyond all files": file_of(header(), length=2**64 - 1),
    "a header that is not JSON": file_of(b"{" * 40),
    "a header nested too deeply": file_of(b"[" * 100_000),
    "a header that is a list": file_of(b"[]"),
    "numbers cut off": file_of(header(), bytes(15)),
    "offsets the wrong way round": file_of(header(data_offsets=[16, 0])),
    "negative offsets": file_of(header(data_offsets=[-16, 0])),
    "offsets that are not numbers": file_of(header(data_offsets=["0", "16"])),
    "three offsets": file_of(header(data_offsets=[0, 8, 16])),
    "no offsets": file_of(json.dumps({"x": {"dtype": "F32", "shape": [4]}}).encode()),
    "no dtype": file_of(json.dumps({"x": {"shape": [4], "data_offsets": [0, 16]}}).encode()),
    "another dtype": file_of(header(dtype="F4")),
    "a dtype that is a list": file_of(header(dtype=["F32"])),
    "a shape of another size": file_of(header(shape=[2, 3])),
    "a shape with a fraction": file_of(header(shape=[2, 2.0])),
    "a shape with true": file_of(header(shape=[4, True])),
    "a negative shape": file_of(header(shape=[-2, -2])),
    "a shape that is a number": file_of(header(shape=4)),
    "a byte after the last tensor": file_of(header(), bytes(17)),
    "bytes and no tensor": file_of(b"{}", bytes(4)),
    "a gap before the first": file_of(header(data_offsets=[4, 20]), bytes(20)),
    "a gap between two": file_of(
        json.dumps({"x": SCALAR, "y": {**SCALAR, "data_offsets": [8, 12]}}).encode(), bytes(12)
    ),
    "two of one place": file_of(json.dumps({"x": SCALAR, "y": SCALAR}).encode(), bytes(4)),
    "an entry that is a number": file_of(json.dumps({"x": 4}).encode()),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path, damage):
    path = tmp_path / "model.safetensors"
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read: .*\.$") as raised:
        read_safetensors(path)
    assert raised.value.next_step
    assert "\n" not in str(raised.value)


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"x": np.ones((2, 2), np.float32), "y": np.ones(3, np.float32)})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_safetensors(path)
