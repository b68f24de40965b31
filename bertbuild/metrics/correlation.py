"""Figures of predicted scores: Pearson and Spearman correlation of two float arrays [N]."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.floating[Any]]


def pearson(labels: Scores, predictions: Scores) -> float:
    """Pearson's r, in float64; NaN where one side is constant."""
    a = np.asarray(labels, np.float64) - np.mean(labels, dtype=np.float64)
    b = np.asarray(predictions, np.float64) - np.mean(predictions, dtype=np.float64)
    spread = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    # Rounding of the mean leaves a constant's differences at 1e-16 of it, not at 0.
    if np.ptp(labels) == 0 or np.ptp(predictions) == 0 or spread == 0:
        return math.nan
    return max(-1.0, min(1.0, float(a @ b) / spread))


def spearman(labels: Scores, predictions: Scores) -> float:
    """Spearman's ρ: Pearson's r of the ranks; equal scores share the mean of their ranks. NaN as in `pearson`."""
    return pearson(_ranks(labels), _ranks(predictions))


def _ranks(values: Scores) -> NDArray[np.float64]:
    """Ranks from 1; of k equal values each gets the mean of the k ranks."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[group.reshape(-1)]
    return ranks
