"""evaluate: what a file of predictions is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.commands.evaluation import Figures
from bertbuild.commands.session import Session
from bertbuild.errors import DataError, UsageError
from bertbuild.kinds.evaluated_data import Data
from bertbuild.names import did_you_mean
from bertbuild.plural import are, number_of

if TYPE_CHECKING:
    from bertbuild.metrics.glue import GlueTask


def predictions(session: Session, data: Data, file: str) -> Figures:
    """Show what a test_results.tsv of the dev set is worth.

    Raises:
        DataError: it cannot be read, or is not of this dev set.
    """
    from bertbuild.gate.prediction_files import read_dev_labels, read_scores
    from bertbuild.metrics.glue import figures

    task, scores = _glue_task(data.task), read_scores(Path(file))
    folder = Path(data.data) if data.data else _fetched(session, task.name)
    labels = read_dev_labels(task, folder)
    if len(scores) != len(labels):
        raise DataError(
            f"{file} has {number_of(len(scores), 'row')}, and the dev set of {task.name} has "
            f"{number_of(len(labels), 'example')}.",
            next_step="Predict the dev set: each of its examples is one row, in the same order.",
        )
    columns = len(task.labels) or 1
    if scores.shape[1] != columns:
        raise DataError(
            f"{file} has {number_of(scores.shape[1], 'column')}, and {task.name} needs {columns}.",
            next_step="Give the predictions of a model that was fine-tuned on this task.",
        )
    answers = scores.argmax(axis=-1) if task.labels else scores[:, 0]
    return _show_figures(session, task.name, len(labels), figures(task.name, labels, answers))


def squad(session: Session, file: str, data_file: str, odds_file: str, *, with_negative: bool) -> Figures:
    """Show exact match and F1 of a predictions.json.

    Raises:
        DataError: a file cannot be read, or is of other questions.
    """
    from bertbuild.gate.prediction_files import read_answers, read_null_odds, read_squad
    from bertbuild.metrics.squad import evaluate_v1, evaluate_v2, questions

    if odds_file and not with_negative:
        raise UsageError(
            "--null-odds is for SQuAD 2.0 alone.", next_step="Add --version-2-with-negative, or leave it out."
        )
    articles, answers = read_squad(Path(data_file)), read_answers(Path(file))
    asked = dict(questions(articles))
    answered = [question for question in asked if question in answers]
    if not answered:
        raise DataError(
            f"{file} answers no question of {data_file}.", next_step="Give the file that was predicted from."
        )
    without = sum(not given for given in asked.values())
    if without and not with_negative:
        raise DataError(
            f"{number_of(without, 'question')} of {data_file} {are(without, 'has', 'have')} no answer, "
            "as only SQuAD 2.0 has them.",
            next_step="Add --version-2-with-negative.",
        )
    odds = read_null_odds(Path(odds_file)) if odds_file else None
    if odds is not None and not set(answered) <= odds.keys():
        lacking = next(question for question in answered if question not in odds)
        raise DataError(
            f"{odds_file} has no figure for question {lacking}.",
            next_step="Give the null_odds.json that was written beside the predictions.",
        )
    if len(answered) < len(asked):
        fate = "they are left out" if with_negative else "each counts 0"
        unanswered = len(asked) - len(answered)
        text = (
            f"{unanswered} of {number_of(len(asked), 'question')} {are(unanswered, 'has', 'have')} no "
            f"prediction: {fate}"
        )
        session.report({"event": "warning", "text": text})
    found = evaluate_v2(articles, answers, odds) if with_negative else evaluate_v1(articles, answers)
    return _show_figures(session, "SQuAD 2.0" if with_negative else "SQuAD 1.1", len(asked), found)


def _glue_task(name: str) -> GlueTask:
    from bertbuild.metrics.glue import TASKS

    if name.upper() not in TASKS:
        known = ", ".join(task.name for task in TASKS.values())
        unknown = f"--task must be one of {known} (got {name!r}){did_you_mean(name, TASKS)}"
        raise UsageError(
            unknown if name else "The task is needed to judge predictions.",
            next_step="Give --task and --data; for SQuAD give --squad-data-file.",
        )
    return TASKS[name.upper()]


def _fetched(session: Session, task: str) -> Path:
    from bertbuild.source.fetched import fetch_dataset

    return fetch_dataset(task, session.settings, session.store, session.report)


def _show_figures(session: Session, title: str, count: int, found: Mapping[str, float]) -> Figures:
    rows = [[name, f"{value:g}" if name.endswith("total") else f"{value:.6f}"] for name, value in found.items()]
    title = f"{title}, {number_of(count, 'example')}"
    session.report({"event": "table", "title": title, "columns": ["metric", "figure"], "rows": rows})
    # JSON knows no NaN: a correlation with constant predictions is null.
    figures = {name: value if value == value else None for name, value in found.items()}  # noqa: PLR0124 - NaN
    return session.result(Figures(metrics=figures, examples=count))
