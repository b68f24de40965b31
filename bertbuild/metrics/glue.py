"""The tasks of GLUE: their labels, what they are judged by, and where a dev set keeps its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bertbuild.metrics.classification import accuracy, f1, matthews
from bertbuild.metrics.correlation import pearson, spearman

METRICS: Mapping[str, Callable[[Any, Any], float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GlueTask:
    """One task.

    Attributes:
        name: as the GLUE paper writes it.
        labels: the classes, in the order of a head's rows in run_classifier; none of a regression.
        metrics: names in `METRICS`; the first is the one that a target may not fall below.
        file: of the dev set.
        column: of that file which has the label.
        header: whether its first line is one.
        columns: how many a row must have for the Model Garden not to skip it; 0 where it skips none.
    """

    name: str
    labels: tuple[str, ...] = ("0", "1")
    metrics: tuple[str, ...] = ("accuracy",)
    file: str = "dev.tsv"
    column: int = -1
    header: bool = True
    columns: int = 0


ENTAILMENT = ("entailment", "not_entailment")

# https://openreview.net/pdf?id=rJ4km2R5t7, table 1; columns as official/nlp/data/classifier_data_lib.py reads them.
TASKS = {
    task.name.upper(): task
    for task in (
        GlueTask(name="CoLA", metrics=("matthews", "accuracy"), column=1, header=False),
        GlueTask(name="MNLI", labels=("contradiction", "entailment", "neutral"), file="dev_matched.tsv"),
        GlueTask(name="MRPC", metrics=("accuracy", "f1"), column=0),
        GlueTask(name="QNLI", labels=ENTAILMENT),
        GlueTask(name="QQP", metrics=("accuracy", "f1"), column=5, columns=6),
        GlueTask(name="RTE", labels=ENTAILMENT),
        GlueTask(name="SST-2", column=1),
        GlueTask(name="STS-B", labels=(), metrics=("pearson", "spearman"), column=9),
        GlueTask(name="WNLI"),
    )
}


def metrics_of(task: str) -> tuple[str, ...]:
    """What a task is judged by; accuracy where it is none of GLUE's."""
    known = TASKS.get(task.upper())
    return known.metrics if known else ("accuracy",)


def figures(task: str, labels: Any, predictions: Any) -> dict[str, float]:
    """Metric → figure of a task, for labels and predictions [N]: classes (int), or scores (float) of a regression."""
    return {name: METRICS[name](labels, predictions) for name in metrics_of(task)}
