"""Parts of partitioned variables: their keys, their places, and the variables joined of them."""

from __future__ import annotations

import numpy as np
import pytest
from first_format import cuts, slice_proto
from partitioned import partition

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.slices import fill, read_extents, region, slice_key
from bertbuild.graph.wire import WireError

GENUINE = {  # of TensorFlow 1.15.5
    ("bert/x", ((0, 10174), (0, 2))): b"\x00bert/x\x00\x01\x01\x02\x80\xe0'\xbe\x80\x82",
    ("bert/x", ((10174, 10174), (0, 2))): b"\x00bert/x\x00\x01\x01\x02\xe0'\xbe\xe0'\xbe\x80\x82",
    ("bert/x", ((20348, 10174), (0, 2))): b"\x00bert/x\x00\x01\x01\x02\xe0O|\xe0'\xbe\x80\x82",
    ("big", ((234, 233), (0, 300))): b"\x00big\x00\x01\x01\x02\xc0\xea\xc0\xe9\x80\xc1,",
}


@pytest.mark.parametrize("number", [0, 1, 63, 64, 100, 8191, 8192, 30522, 1 << 20, (1 << 40) + 3])
def test_keys_sort_like_numbers(number):
    keys = [slice_key("x", ((start, 5),)) for start in (number, number + 1)]
    assert keys == sorted(keys)


@pytest.mark.parametrize(("place", "key"), GENUINE.items())
def test_keys_are_tensorflows(place, key):
    assert slice_key(*place) == key


def test_extents_are_read_back():
    for extents in cuts((10, 4), 3):
        assert read_extents(slice_proto(extents)) == extents


def test_parts_must_be_the_whole():
    first, second, third = (region((10, 4), extents) for extents in cuts((10, 4), 3))
    assert fill((10, 4), [first, second, third])
    assert not fill((10, 4), [first, second])
    assert not fill((8, 4), [first, first])
    for extents in (((0, 11), (0, -1)), ((-1, 2), (0, -1)), ((0, 1),)):
        with pytest.raises(WireError):
            region((10, 4), extents)


def test_partitioned_variables_are_joined_and_told(make, tensors):
    folder = make(tensors)
    names = ["bert/embeddings/word_embeddings", "bert/pooler/dense/bias"]
    partition(folder, names)
    reader = CheckpointReader(folder / "bert_model.ckpt")
    for name, value in tensors.items():
        assert np.array_equal(reader.tensor(name), value), name
        reader.verify(name)
    inspection = inspect_checkpoint(folder)
    assert inspection.sound
    assert inspection.intact == 39
    assert not inspection.plain
    assert inspection.warnings == ("2 variables are partitioned; their parts are joined.",)
    with (folder / "bert_model.ckpt.data-00000-of-00001").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    damaged = inspect_checkpoint(folder)
    assert damaged.intact == 38
    assert "of bert/pooler/dense/bias at offset" in damaged.problems[0]
