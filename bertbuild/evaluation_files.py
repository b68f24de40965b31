"""The files that predictions are judged by: test_results.tsv, predictions.json, null_odds.json, dev sets.

Whatever is wrong with one is a `DataError` that names it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild.errors import DataError

AS_WRITTEN = "Give test_results.tsv as it was written: numbers with tabs between them, a row for each example."

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bertbuild.metrics.glue import GlueTask


def read_scores(path: Path) -> NDArray[Any]:
    """The rows of a test_results.tsv: float64 [N, C], a class's probability (or logit) each, or one score."""
    import numpy as np

    rows = [line.split("\t") for line in _text(path).splitlines() if line]
    if not rows:
        raise DataError(f"{path} is empty.", next_step="Predict once more.")
    numbers: list[list[float]] = []
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{path}: line {number} has {len(row)} columns, the first {len(rows[0])}.",
                next_step=AS_WRITTEN,
            )
        numbers.append([_number(path, number, text) for text in row])
    return np.array(numbers)


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{path}: line {line} has {text!r}, which is no number.",
            next_step=AS_WRITTEN,
        )
    return value


def read_dev_labels(task: GlueTask, folder: Path) -> NDArray[Any]:
    """The labels of a task's dev set [N]: int32 places in its labels, or float64 scores."""
    import numpy as np

    path = folder / task.file
    # Rows end where lines do and nowhere else; quotes mean nothing, as in the Model Garden's _read_tsv.
    lines = _text(path).replace("\r\n", "\n").split("\n")
    rows = [(number, line.split("\t")) for number, line in enumerate(lines, 1) if line]
    width = len(rows[0][1]) if rows and task.header else None
    found = [_label(task, path, number, row, width) for number, row in rows[task.header :] if len(row) >= task.columns]
    if not found:
        raise DataError(f"{path} has no example.", next_step=f"Give the folder of {task.name}: --data FOLDER.")
    return np.array(found, np.int32 if task.labels else np.float64)


def _label(task: GlueTask, path: Path, number: int, row: list[str], width: int | None) -> float:
    """A row's label; a row wider than the header (`width` columns) has a tab in a text, which stands before it."""
    next_step = f"Give the folder of {task.name} as GLUE has it: --data FOLDER."
    if task.column >= len(row):
        raise DataError(
            f"{path}: line {number} has {len(row)} columns; the label is in column {task.column + 1}.",
            next_step=next_step,
        )
    behind_texts = width is not None and task.column > 0 and len(row) > width > task.column
    text = row[task.column - width] if behind_texts and width is not None else row[task.column]
    if not task.labels:
        return _number(path, number, text)
    if text not in task.labels:
        raise DataError(
            f"{path}: line {number} has the label {text[:40]!r}, which is none of {task.name}'s "
            f"({', '.join(task.labels)}).",
            next_step=next_step,
        )
    return task.labels.index(text)


def read_squad(path: Path) -> list[dict[str, Any]]:
    """The articles of a SQuAD file."""
    value = _json(path)
    try:
        articles: list[dict[str, Any]] = value["data"]
        checked = [
            (_text_id(question["id"]), [answer["text"] for answer in question["answers"]])
            for article in articles
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no SQuAD data set: {error!r}.", next_step="Give dev-v1.1.json or dev-v2.0.json."
        ) from error
    if not checked:
        raise DataError(f"{path} has no question.", next_step="Give dev-v1.1.json or dev-v2.0.json.")
    return articles


def _text_id(name: object) -> str:
    if isinstance(name, bool) or not isinstance(name, int | str):
        raise TypeError(f"the id {name!r} is no text")
    return str(name)


def read_answers(path: Path) -> dict[str, str]:
    """A predictions.json: question id → answer."""
    return _table(path, str, "answers", "Give predictions.json, not nbest_predictions.json.")


def read_null_odds(path: Path) -> dict[str, float]:
    """A null_odds.json: question id → score of no answer less that of the best."""
    return _table(path, (int, float), "numbers", "Give null_odds.json as it was written beside predictions.json.")


def _table(path: Path, kind: type | tuple[type, ...], what: str, next_step: str) -> dict[str, Any]:
    value = _json(path)
    if not isinstance(value, dict) or not all(isinstance(entry, kind) for entry in value.values()):
        raise DataError(f"{path} does not map question ids to {what}.", next_step=next_step)
    return value


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}.", next_step="Give the file as it was written.") from error


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", next_step="Check the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}.", next_step="Save it as UTF-8.") from error
