"""Weights that are not numbers are told by name, in every dtype and format that is read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import TINY
from first_format import write_v1

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.checksums import is_finite
from bertbuild.checkpoint.inspection import inspect_checkpoint

NAMES = ("bert/embeddings/LayerNorm/beta", "bert/pooler/dense/kernel")
TOLD = f"2 variables hold numbers that are not finite (NaN or infinite): {', '.join(NAMES)}."


def spoilt(tensors, dtype=np.float32):
    """The tensors with a NaN in one and an infinite number in another."""
    made = {name: value.astype(dtype) for name, value in tensors.items()}
    made[NAMES[0]].flat[-1] = np.nan
    made[NAMES[1]].flat[5] = -np.inf
    return made


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_they_are_a_warning_that_names_the_variables(make, tensors, dtype):
    inspection = inspect_checkpoint(make(spoilt(tensors, dtype)))
    assert inspection.sound
    assert inspection.not_finite == NAMES
    assert TOLD in inspection.warnings
    assert inspection.intact == len(tensors)


def test_a_checkpoint_of_the_first_format_is_looked_at_likewise(tmp_path, tensors):
    write_v1(tmp_path / "bert_model.ckpt", spoilt(tensors), parts=3)
    (tmp_path / "bert_config.json").write_text(json.dumps(TINY))
    assert inspect_checkpoint(tmp_path).not_finite == NAMES


def test_sound_numbers_are_not_told(tiny):
    inspection = inspect_checkpoint(tiny)
    assert (inspection.not_finite, inspection.warnings) == ((), ())
    assert len(CheckpointReader(tiny / "bert_model.ckpt").entries) == inspection.intact


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_bfloat16_has_them_too(value):
    numbers = np.array([1.0, -3e38, 0.0, value], np.float32)
    upper = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    assert not is_finite(upper, "bfloat16")
    assert is_finite(upper[:3], "bfloat16")


def test_whole_numbers_are_finite():
    assert is_finite(np.array([-1], np.int64), "int64")
