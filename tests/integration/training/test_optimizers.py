"""The optimizers of finetune and train, which compute in fewer passes, against upstream's own operations."""

from __future__ import annotations

import pytest
from backends import run as run_script
from program import ROOT

pytestmark = pytest.mark.integration


def test_finetunes_steps_in_place_are_upstreams_but_for_the_last_digits(bertbuild):
    """Six steps with warm-up, a gradient of a few rows alone, weight decay, and a variable that is not decayed."""
    assert bertbuild.artifacts, "its environments are made"
    told = run_script("tf1", "adam_in_place", root=ROOT)
    theirs, ours = told["names"]
    assert ours == theirs
    assert "bert/embeddings/adam_v" in ours
    assert told["rates"][0] == told["rates"][1]
    assert told["moved"] > 1e-5
    assert told["off"] <= 1e-6


def test_trains_steps_of_embeddings_are_the_model_gardens_but_for_the_last_digits(bertbuild):
    """Six steps with words that are twice in a batch, and words that are not in it."""
    assert bertbuild.artifacts, "its environments are made"
    told = run_script("tf2", "embeddings_step_tf2", root=ROOT)
    assert told["moved"] > 1e-5
    assert told["off"] <= 1e-6
