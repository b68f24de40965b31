"""docker/common/by_length.py, which runs inside the images, under the Python of the tests."""

from __future__ import annotations

import importlib
import struct

import numpy as np
import pytest

from bertbuild.project import ROOT


@pytest.fixture(scope="module")
def by_length():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docker" / "common"))
        yield importlib.import_module("by_length")


def test_a_row_ends_after_its_last_place_with_a_mask(by_length):
    mask = [[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert by_length.lengths(mask).tolist() == [2, 3, 4, 4, 1]


def test_the_longest_come_first_and_what_fills_no_batch_stays_the_last(by_length):
    rows = by_length.order(np.array([2, 9, 5, 9, 1, 7, 8]), 3)
    assert rows.tolist() == [1, 3, 5, 2, 0, 4, 6]
    assert by_length.order(np.array([2, 9]), 3).tolist() == [0, 1]


def test_answers_are_put_back(by_length):
    rows = by_length.order(np.array([2, 9, 5, 9, 1, 7, 8]), 2)
    assert by_length.put_back([f"row {row}" for row in rows], rows) == [f"row {row}" for row in range(7)]


def test_records_are_copied_whole_in_their_new_order(by_length, tmp_path):
    told = [struct.pack("<QI", count, 1) + b"x" * count + b"sum." for count in (5, 0, 300, 12)]
    (tmp_path / "a").write_bytes(b"".join(told))
    rows = by_length.sorted_copy(tmp_path / "a", tmp_path / "b", np.array([5, 1, 300, 12]), 2)
    assert rows.tolist() == [2, 3, 0, 1]
    assert (tmp_path / "b").read_bytes() == b"".join(told[row] for row in rows)
