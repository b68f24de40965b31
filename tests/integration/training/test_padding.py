"""Which losses read padding: loss and gradients of a batch with and without it, by the programs that train."""

from __future__ import annotations

import pytest
from backends import run as run_script
from matrix import WHOLE
from program import ROOT

pytestmark = pytest.mark.integration

SAFE = ("classifier", "multi-label", "regression", "tokens")


@pytest.fixture(scope="module")
def by_tensorflow1(bertbuild):
    assert bertbuild.artifacts, "its environments are made"
    # run_squad and run_classifier define the same flags, so only one of them can be imported.
    asked = (["classification", "regression", "multi-label", "tagging"], *((["squad"],) if WHOLE else ()))
    found = [run_script("tf1", "padding_gradients_tf1", root=ROOT, kinds=kinds) for kinds in asked]
    return {name: told for one in found for name, told in one.items()}


def test_the_heads_whose_training_is_cut_are_those_that_are_compared_here(by_tensorflow1):
    assert tuple(by_tensorflow1["safe"]) == SAFE


@pytest.mark.parametrize("head", SAFE)
def test_upstreams_losses_do_not_read_padding(by_tensorflow1, head):
    told = by_tensorflow1[head]
    assert told["lengths"] == [24, 11]
    assert told["largest"] > 0.01
    assert told["loss"] <= 1e-5
    assert told["gradient"] <= 1e-5


@pytest.mark.whole
def test_run_squads_loss_reads_padding(by_tensorflow1):
    assert by_tensorflow1["span"]["loss"] > 1e-3


@pytest.fixture(scope="module")
def by_tensorflow2(bertbuild):
    assert bertbuild.artifacts
    asked = (SAFE, *((["span"],) if WHOLE else ()))
    found = [run_script("tf2", "padding_gradients_tf2", root=ROOT, kinds=kinds) for kinds in asked]
    return {name: told for one in found for name, told in one.items()}


@pytest.mark.parametrize("head", SAFE)
def test_the_model_gardens_losses_do_not_read_padding(by_tensorflow2, head):
    told = by_tensorflow2[head]
    assert told["lengths"] == [24, 16]
    assert told["largest"] > 0.01
    assert told["loss"] <= 1e-5
    assert told["gradient"] <= 1e-5


def test_batches_of_like_length_of_few_rows_hold_no_row_twice(by_tensorflow2):
    """A window of more than an epoch would put a row beside itself."""
    batches = by_tensorflow2["bucketed"]["few"]
    assert {tuple(batch) for batch in batches} == {(1, 3), (5, 2), (4, 0)}
    assert all(batches.count(batch) > 1 for batch in batches)


def test_rows_are_sorted_within_a_window_of_batches(by_tensorflow2):
    """Every row comes, rows of one length together, and beside no row of another window."""
    told = by_tensorflow2["bucketed"]
    batches, lengths, rows = told["many"], told["lengths"], 2 * told["window"]
    assert {row for batch in batches for row in batch} == set(range(3 * rows))
    for one, other in batches:
        assert one // rows == other // rows
        assert lengths[one] == lengths[other]
    assert batches != sorted(batches)


@pytest.mark.whole
def test_the_model_gardens_loss_of_spans_reads_padding(by_tensorflow2):
    assert by_tensorflow2["span"]["loss"] > 1e-3
