"""What evaluate gives back, its table, and what it holds targets to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild.commands.result import Result
from bertbuild.commands.session import shown
from bertbuild.errors import AccuracyError
from bertbuild.heads.classifier import HEAD as CLASSIFIER
from bertbuild.kinds.evaluation import REFERENCE
from bertbuild.plural import number_of

if TYPE_CHECKING:
    from bertbuild.gate.accuracy import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Result):
    """What targets are worth on a dev set.

    Attributes:
        model: its name.
        task: its name.
        examples: how many.
        data: key of the prepared data.
        head: the kind of head that answered.
        metric: the first of the task's.
        max_drop: how far it may be below the source's.
        batch_size: examples at a time.
        passed: always true: else `AccuracyError` is raised.
        reference: the TensorFlow that ran the source.
        targets: the figures of each, the source's first.
        path: where all this is written, as JSON.
    """

    model: str
    task: str
    examples: int
    data: str
    head: str
    metric: str
    max_drop: float
    batch_size: int
    passed: bool
    reference: str
    targets: tuple[Judged, ...]
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures(Result):
    """What a file of predictions is worth: metric → figure (None where there is none), and how many examples."""

    metrics: Mapping[str, float | None]
    examples: int


def table(facts: Mapping[str, Any], judged: list[Judged]) -> dict[str, Any]:
    """The event "table" of an evaluation: a row for each target, the source's first."""

    def milliseconds(seconds: float) -> str:
        return f"{seconds * 1000:.2f}"

    names = list(judged[0].metrics)
    rows = [
        [
            row.target,
            *(f"{row.metrics[name]:.4f}" if name in row.metrics else "–" for name in names),
            "–" if row.agreement is None else f"{row.agreement:.2%}",
            "–" if row.max_abs is None else f"{row.max_abs:.1e}",
            milliseconds(row.latency.batch),
            milliseconds(row.latency.alone),
            "–" if row.target == REFERENCE or row.drop is None else f"{row.drop + 0.0:.4f}",
            "ok" if row.passed else "FAIL",
        ]
        for row in judged
    ]
    batch = facts["batch_size"]
    same = "same class" if facts["head"] == CLASSIFIER.name else "same answer"
    columns = ["target", *names, same, "max abs", f"ms, batch {batch}", "ms, batch 1", "drop", ""]
    title = (
        f"{facts['model']} on {facts['task']}, {number_of(facts['examples'], 'example')}; milliseconds "
        f"for one example (median); "
        f"{facts['metric']} may drop by {facts['max_drop']:g} below the source's, run by {facts['reference']}"
    )
    return {"event": "table", "title": title, "columns": columns, "rows": rows}


def require_passed(facts: Mapping[str, Any], judged: list[Judged], path: Path) -> None:
    """Hold the targets to what is allowed; the figures are in the file `path`.

    Raises:
        AccuracyError: a target is further below its source.
    """
    failed = [row for row in judged if not row.passed]
    if not failed:
        return
    metric, reference = facts["metric"], judged[0]
    sentences = [
        row.reason or f"{metric} {row.metrics[metric]:.4f}, {row.drop:.4f} below the source's" for row in failed
    ]
    told = "; ".join(f"{row.target}: {sentence}" for row, sentence in zip(failed, sentences, strict=True))
    known = f" ({reference.metrics[metric]:.4f})" if reference.metrics else ""
    raise AccuracyError(
        f"On {facts['task']}, {facts['model']} does not keep its {metric}{known} in every target: {told}; "
        f"{facts['max_drop']:g} is allowed.",
        next_step=f"The figures are in {shown(path)}; --max-drop says how much is allowed.",
    )
