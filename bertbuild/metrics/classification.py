"""Figures of predicted classes: accuracy, F1, Matthews correlation. Labels and predictions are int arrays [N]."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Classes: TypeAlias = NDArray[np.integer[Any]]


def accuracy(labels: Classes, predictions: Classes) -> float:
    """Share of examples with the right class."""
    return float(np.mean(labels == predictions))


def f1(labels: Classes, predictions: Classes) -> float:
    """F1 of class 1 (GLUE's for MRPC and QQP): 2·tp / (2·tp + fp + fn); 0 where that is 0/0, as scikit-learn has it."""
    right = int(np.sum((labels == 1) & (predictions == 1)))
    asked = int(np.sum(labels == 1)) + int(np.sum(predictions == 1))
    return 2 * right / asked if asked else 0.0


def matthews(labels: Classes, predictions: Classes) -> float:
    """Matthews correlation (Gorodkin's R_K where there are more classes than two); 0 where one side is constant.

    https://doi.org/10.1016/j.compbiolchem.2004.09.006, equation 8; scikit-learn's matthews_corrcoef is the same.
    """
    classes = np.union1d(labels, predictions)
    true = [int(np.sum(labels == name)) for name in classes]
    told = [int(np.sum(predictions == name)) for name in classes]
    total, right = len(labels), int(np.sum(labels == predictions))
    covariance = right * total - sum(a * b for a, b in zip(true, told, strict=True))
    spread = (total**2 - sum(count**2 for count in true)) * (total**2 - sum(count**2 for count in told))
    return covariance / math.sqrt(spread) if spread else 0.0


def macro_average_precision(labels: Classes, scores: NDArray[np.floating[Any]]) -> float:
    """The mean over labels of average precision: sum of (R_n - R_n-1)·P_n over the distinct scores, the highest first.

    A label that no example has counts 0; scikit-learn's average_precision_score(average="macro") is the same.

    Args:
        labels: [N, C] of 0 and 1.
        scores: [N, C].
    """
    return float(np.mean([_average_precision(*column) for column in zip(labels.T, scores.T, strict=True)]))


def _average_precision(labels: Classes, scores: NDArray[np.floating[Any]]) -> float:
    order = np.argsort(-scores, kind="stable")
    right, sorted_scores = np.cumsum(labels[order] == 1), scores[order]
    if not len(right) or right[-1] == 0:
        return 0.0
    last = np.append(np.flatnonzero(np.diff(sorted_scores)), len(right) - 1)
    precision, recall = right[last] / (last + 1), right[last] / right[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))
