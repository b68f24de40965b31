"""Figures of GLUE: known values, worked out by hand or printed by scikit-learn and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.metrics.classification import accuracy, f1, matthews
from bertbuild.metrics.correlation import pearson, spearman
from bertbuild.metrics.glue import METRICS, TASKS, figures, metrics_of

LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
GIVEN = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])  # tp 3, fn 1, fp 1, tn 5

pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)
# Multiples of 1/8, so that an affine map makes no ties that were none.
scores = st.lists(st.tuples(*[st.integers(-40, 40).map(lambda n: n / 8)] * 2), min_size=3, max_size=40)


def test_accuracy_is_the_share_of_right_classes():
    assert accuracy(LABELS, GIVEN) == 0.8


def test_f1_is_that_of_class_1():
    assert f1(LABELS, GIVEN) == 2 * 3 / (2 * 3 + 1 + 1)
    assert f1(1 - LABELS, 1 - GIVEN) == 2 * 5 / (2 * 5 + 1 + 1)


def test_f1_is_0_where_class_1_neither_is_nor_is_told():
    assert f1(np.zeros(3, int), np.zeros(3, int)) == 0.0


def test_matthews_of_two_classes_is_the_phi_coefficient():
    assert matthews(LABELS, GIVEN) == pytest.approx((3 * 5 - 1 * 1) / math.sqrt(4 * 4 * 6 * 6), abs=1e-15)


def test_matthews_of_three_classes():
    # sklearn.metrics.matthews_corrcoef([0, 1, 2, 2, 1, 0], [0, 2, 2, 2, 1, 1]) is 12 / sqrt(24 · 22)
    found = matthews(np.array([0, 1, 2, 2, 1, 0]), np.array([0, 2, 2, 2, 1, 1]))
    assert found == pytest.approx(12 / math.sqrt(24 * 22), abs=1e-15)


@pytest.mark.parametrize("constant", [0, 1])
def test_matthews_of_a_model_that_always_says_the_same_is_0(constant):
    assert matthews(LABELS, np.full(10, constant)) == 0.0


@given(pairs)
def test_matthews_is_1_of_the_right_answers_and_the_same_whichever_way_round(rows):
    a, b = np.array(rows).T
    assert matthews(a, a) == (1.0 if len(set(a)) > 1 else 0.0)
    assert matthews(a, b) == matthews(b, a)
    assert -1.0 <= matthews(a, b) <= 1.0


def test_pearson_of_a_known_pair():
    # scipy.stats.pearsonr([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]) is 0.8
    assert pearson(np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 4, 3, 5])) == pytest.approx(0.8, abs=1e-15)


def test_spearman_gives_equal_scores_the_mean_of_their_ranks():
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: scipy.stats.spearmanr([1, 2, 2, 3], [1, 2, 3, 4]) is 4.5 / sqrt(4.5 · 5)
    found = spearman(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4]))
    assert found == pytest.approx(4.5 / math.sqrt(4.5 * 5), abs=1e-15)


@pytest.mark.parametrize("figure", [pearson, spearman])
@pytest.mark.parametrize("constant", [0.0, 0.1, 3.3])
def test_a_correlation_with_a_constant_is_not_defined(figure, constant):
    assert math.isnan(figure(np.array([1.0, 2.0, 3.5]), np.full(3, constant)))


@given(scores, st.sampled_from([0.5, 2.0, 8.0]), st.integers(-3, 3))
def test_correlations_do_not_ask_for_scale_or_zero(rows, scale, zero):
    a, b = np.array(rows).T
    for figure in (pearson, spearman):
        found = figure(a, b)
        assert figure(a * scale + zero, b) == pytest.approx(found, abs=1e-12, nan_ok=True)
        assert figure(-a, b) == pytest.approx(-found, abs=1e-12, nan_ok=True)


@given(scores)
def test_spearman_asks_for_order_alone(rows):
    a, b = np.array(rows).T
    assert spearman(np.exp(a), b) == pytest.approx(spearman(a, b), abs=1e-12, nan_ok=True)


def test_each_task_has_metrics_that_are_known():
    assert {name for task in TASKS.values() for name in task.metrics} == set(METRICS)
    assert {name: task.metrics for name, task in TASKS.items() if task.metrics != ("accuracy",)} == {
        "COLA": ("matthews", "accuracy"),
        "MRPC": ("accuracy", "f1"),
        "QQP": ("accuracy", "f1"),
        "STS-B": ("pearson", "spearman"),
    }


def test_a_task_of_nobody_is_judged_by_accuracy():
    assert metrics_of("XNLI") == ("accuracy",)
    assert figures("mrpc", LABELS, GIVEN) == {"accuracy": 0.8, "f1": 0.75}
