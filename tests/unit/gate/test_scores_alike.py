"""The accuracy gate on a regression whose scores are all alike: what differs is rounding, which has no correlation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bertbuild.commands.evaluation import require_passed
from bertbuild.errors import AccuracyError
from bertbuild.gate.accuracy import judge
from bertbuild.kinds.evaluation import REFERENCE
from bertbuild.kinds.measured import Measured

LABELS = np.linspace(0, 6, 24, dtype=np.float32)
LATENCY = {"batch": {"rows": 4, "median_seconds": 0.008, "p95_seconds": 0.012}}
LATENCY["alone"] = {"rows": 1, "median_seconds": 0.004, "p95_seconds": 0.005}
ALIKE = "gave every example the same answer, of which there is no pearson"


def rounded(seed):
    """Scores of a model that has learnt one number."""
    return (3.4 + np.random.default_rng(seed).standard_normal(24) * 2e-7).astype(np.float32)


@pytest.fixture
def judged(tmp_path):
    """A function from target → its scores, the reference's first, to what is found of them."""

    def of(**scores):
        for target, values in scores.items():
            folder = tmp_path / target
            folder.mkdir()
            np.savez(folder / "answers.npz", score=values)
            (folder / "stage.json").write_text(json.dumps({"facts": {"latency": LATENCY}}))
        data = Measured(task="own-stars", head="regression", labels=(), max_seq_length=8, steps=())
        keys = {target: {"result": None} for target in scores}
        return judge(data, LABELS, {target: tmp_path / target for target in scores}, {}, keys, 0.01)

    return of


def test_a_model_that_learnt_one_number_has_no_figure_and_nothing_is_compared_with_it(judged, tmp_path):
    reference, frozen, other = judged(**{REFERENCE: rounded(0), "frozen": rounded(1), "other": LABELS * 0.5})
    assert [row.metrics for row in (reference, frozen, other)] == [{}, {}, {}]
    assert (reference.reason, frozen.reason) == (ALIKE, ALIKE)
    assert other.reason == f"is not compared: the source {ALIKE}"
    facts = {"task": "own-stars", "model": "small", "metric": "pearson", "max_drop": 0.01}
    with pytest.raises(AccuracyError, match=f"tf1: {ALIKE}; frozen: {ALIKE}"):
        require_passed(facts, [reference, frozen], tmp_path / "evaluation.json")


def test_small_differences_of_large_scores_are_rounding_and_of_small_ones_answers(judged):
    scores = LABELS * np.float32(1e-4)
    reference, shifted = judged(**{REFERENCE: scores, "shifted": scores + np.float32(1000)})
    assert reference.metrics["pearson"] == pytest.approx(1)
    assert shifted.reason == ALIKE
