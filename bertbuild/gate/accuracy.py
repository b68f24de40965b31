"""The accuracy gate: what each target answered on a dev set, beside what TensorFlow 1 answered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bertbuild.heads.rows import HEADS
from bertbuild.json_text import parse_json
from bertbuild.kinds.evaluation import REFERENCE
from bertbuild.kinds.measured import Measured
from bertbuild.metrics import glue
from bertbuild.stages import FACTS

ROUNDING = 1e-9
"""A drop of just what is allowed is allowed, though floats differ in their last place."""
PERPLEXITIES = ("pseudo_perplexity",)
"""The metrics of which less is better."""
SAME_SCORE = 3
"""Decimals to which two scores are the same answer."""
NO_SPREAD = 1e-5
"""Scores that all lie so near, of the largest of them, differ by rounding: of these there is no correlation."""


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
        classes: how many different answers it gives (of a classifier: to how many classes).
        agreement: share of what was asked (examples, words, questions) with the answer that TensorFlow 1 gives; None
            of a score.
        max_abs: largest difference of any probability, score or logit from TensorFlow 1's.
        drop: how far the main metric is below TensorFlow 1's; negative where it is above.
        passed: whether that is allowed.
        reason: why there are no figures, or empty; agreement and max_abs are then None, metrics empty.
        latency: as measured when it was run.
        keys: of the result itself (None: the source), of its answers, and of their figures where a stage has worked
            these out, in the store.
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


@dataclass(frozen=True, slots=True)
class _Given:
    """What a target answered: arrays by name; figures; and what it says of each thing asked, None of a score."""

    arrays: dict[str, NDArray[np.float64]]
    metrics: dict[str, float]
    told: list[Any] | None
    classes: int


def metrics_of(data: Measured) -> tuple[str, ...]:
    """What answers are judged by; the first is what a target may not lose. A task of GLUE says it, else the head."""
    if data.task.upper() in glue.TASKS:
        return glue.metrics_of(data.task)
    return ("pearson", "spearman") if data.head == "regression" else (HEADS[data.head].metric,)


def judge(
    data: Measured,
    labels: NDArray[Any],
    answers: Mapping[str, Path],
    scores: Mapping[str, Path],
    keys: Mapping[str, dict[str, str | None]],
    max_drop: float,
) -> list[Judged]:
    """The figures of every target, the reference first.

    Args:
        data: what was measured on.
        labels: of the examples [N, …]; used where no stage has judged the answers.
        answers: target → folder of its infer stage's result.
        scores: target → folder of its score stage's result; empty where the host judges.
        keys: target → as `Judged.keys`.
        max_drop: how far the main metric may fall below the reference's.
    """
    main = metrics_of(data)[0]
    given = {target: _given(data, labels, folder, scores.get(target)) for target, folder in answers.items()}
    expected = given[REFERENCE]
    lacking = _unusable(expected, expected, data.tensors)
    found = []
    for target, one in given.items():
        reason = _unusable(one, expected, data.tensors) or (f"is not compared: the source {lacking}" if lacking else "")
        drop = None if reason else _worth(main, expected.metrics) - _worth(main, one.metrics)
        found.append(
            Judged(
                target=target,
                metrics={} if reason else one.metrics,
                classes=one.classes,
                agreement=None if reason else _agreement(one, expected),
                max_abs=None if reason else _max_abs(one, expected),
                drop=drop,
                passed=drop is not None and drop <= max_drop + ROUNDING,
                reason=reason,
                latency=_latency(answers[target]),
                keys=keys[target],
            )
        )
    return found


def _given(data: Measured, labels: NDArray[Any], answered: Path, scored: Path | None) -> _Given:
    with np.load(answered / "answers.npz") as file:
        arrays = {name: np.asarray(file[name], np.float64) for name in data.tensors if name in file.files}
    if scored is not None:
        content = parse_json((scored / "scores.json").read_text(encoding="utf-8"))
        told = content["given"]
        return _Given(arrays, content["metrics"], told, len({json.dumps(one) for one in told}))
    values = arrays.get(data.tensors[0])
    if values is None or len(values) != len(labels):
        return _Given(arrays, {}, None, 0)
    names = metrics_of(data)
    if data.head == "regression":
        alike = np.ptp(values) <= NO_SPREAD * max(1, np.abs(values).max())
        figures = dict.fromkeys(names, math.nan) if alike else _figures(names, labels, values)
        return _Given(arrays, figures, None, len(np.unique(values.round(SAME_SCORE))))
    classes = values.argmax(axis=-1)
    return _Given(arrays, _figures(names, labels, classes), classes.tolist(), len(np.unique(classes)))


def _figures(names: tuple[str, ...], labels: NDArray[Any], given: NDArray[Any]) -> dict[str, float]:
    return {name: glue.METRICS[name](labels, given) for name in names}


def _worth(metric: str, metrics: Mapping[str, float]) -> float:
    """A figure, the higher the better: of a perplexity what is lost is a factor, so its logarithm counts."""
    return -math.log(metrics[metric]) if metric in PERPLEXITIES else metrics[metric]


def _agreement(one: _Given, expected: _Given) -> float | None:
    if one.told is None or expected.told is None:
        return None
    same = sum(1 for a, b in zip(one.told, expected.told, strict=True) if a == b)
    return same / max(1, len(one.told))


def _max_abs(one: _Given, expected: _Given) -> float:
    return max(float(np.max(np.abs(one.arrays[name] - expected.arrays[name]))) for name in one.arrays)


def _unusable(one: _Given, expected: _Given, tensors: tuple[str, ...]) -> str:
    """Why answers cannot be compared, or empty."""
    for name in tensors:
        if name not in one.arrays:
            return f"gave no {name}"
        if name in expected.arrays and one.arrays[name].shape != expected.arrays[name].shape:
            shapes = list(one.arrays[name].shape), list(expected.arrays[name].shape)
            return "gave answers of shape {}, where the source's are {}".format(*shapes)
        if not np.isfinite(one.arrays[name]).all():
            return "gave an answer that is not finite (NaN or infinity)"
    undefined = [name for name, value in one.metrics.items() if math.isnan(value)]
    return f"gave every example the same answer, of which there is no {undefined[0]}" if undefined else ""


def _latency(answered: Path) -> Latency:
    facts = parse_json((answered / FACTS).read_text(encoding="utf-8"))["facts"]["latency"]
    batch, alone = facts["batch"], facts["alone"]
    return Latency(
        batch=batch["median_seconds"] / batch["rows"],
        batch_p95=batch["p95_seconds"] / batch["rows"],
        alone=alone["median_seconds"],
        alone_p95=alone["p95_seconds"],
    )
