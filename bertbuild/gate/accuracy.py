"""The accuracy gate: what each target answered on a dev set, beside what TensorFlow 1 answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertbuild.heads.classifier import OUTPUT
from bertbuild.kinds.evaluation import REFERENCE
from bertbuild.metrics.glue import figures, metrics_of
from bertbuild.stages import FACTS

ROUNDING = 1e-9
"""A drop of just what is allowed is allowed, though floats differ in their last place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Median seconds for one example: of a batch, and alone.

    Attributes:
        batch: median seconds of a batch divided by its rows.
        batch_p95: 95th percentile likewise.
        alone: median seconds of a batch of one.
        alone_p95: 95th percentile likewise.
    """

    batch: float
    batch_p95: float
    alone: float
    alone_p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One target's figures.

    Attributes:
        target: its name.
        metrics: metric → figure.
        classes: how many of the classes it gives to any example at all.
        agreement: share of the examples with the class that TensorFlow 1 gives them.
        max_abs: largest difference of any probability from TensorFlow 1's.
        drop: how far the main metric is below TensorFlow 1's; negative where it is above.
        passed: whether that is allowed.
        reason: why there are no figures, or empty; agreement and max_abs are then None, metrics empty.
        latency: as measured when it was run.
        keys: of the result itself (None: the source) and of its answers, in the store.
    """

    target: str
    metrics: dict[str, float]
    classes: int
    agreement: float | None
    max_abs: float | None
    drop: float | None
    passed: bool
    reason: str
    latency: Latency
    keys: dict[str, str | None]

    def as_json(self) -> dict[str, Any]:
        """As it is stored and printed."""
        return asdict(self)


def judge(
    task: str,
    labels: NDArray[np.int32],
    answers: Mapping[str, Path],
    keys: Mapping[str, dict[str, str | None]],
    max_drop: float,
) -> list[Judged]:
    """The figures of every target, the reference first.

    Args:
        task: its name, which decides the metrics.
        labels: right classes [N].
        answers: target → folder of its infer stage's result.
        keys: target → as `Judged.keys`.
        max_drop: how far the main metric may fall below the reference's.
    """
    main = metrics_of(task)[0]
    expected = _probabilities(answers[REFERENCE])
    reference = figures(task, labels, expected.argmax(axis=-1))
    found = []
    for target, answered in answers.items():
        given = _probabilities(answered)
        reason = _unusable(given, expected)
        metrics = {} if reason else figures(task, labels, given.argmax(axis=-1))
        drop = None if reason else reference[main] - metrics[main]
        found.append(
            Judged(
                target=target,
                metrics=metrics,
                classes=len(np.unique(given.argmax(axis=-1))),
                agreement=None if reason else float(np.mean(given.argmax(axis=-1) == expected.argmax(axis=-1))),
                max_abs=None if reason else float(np.max(np.abs(given - expected))),
                drop=drop,
                passed=drop is not None and drop <= max_drop + ROUNDING,
                reason=reason,
                latency=_latency(answered),
                keys=keys[target],
            )
        )
    return found


def _probabilities(answered: Path) -> NDArray[np.float64]:
    with np.load(answered / "answers.npz") as file:
        return np.asarray(file[OUTPUT], np.float64)


def _unusable(given: NDArray[np.float64], expected: NDArray[np.float64]) -> str:
    """Why answers cannot be compared, or empty."""
    if given.shape != expected.shape:
        return f"gave answers of shape {list(given.shape)}, where the source's are {list(expected.shape)}"
    return "" if np.isfinite(given).all() else "gave an answer that is not finite (NaN or infinity)"


def _latency(answered: Path) -> Latency:
    facts = json.loads((answered / FACTS).read_text(encoding="utf-8"))["facts"]["latency"]
    batch, alone = facts["batch"], facts["alone"]
    return Latency(
        batch=batch["median_seconds"] / batch["rows"],
        batch_p95=batch["p95_seconds"] / batch["rows"],
        alone=alone["median_seconds"],
        alone_p95=alone["p95_seconds"],
    )
