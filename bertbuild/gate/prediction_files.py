"""The files that predictions are judged by: test_results.tsv, predictions.json, null_odds.json, dev sets.

Whatever is wrong with one is a `DataError` that names it.
"""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any

from bertbuild.checkpoint.user_files import foreign_encoding, read_regular, undecodable
from bertbuild.errors import CheckpointError, DataError
from bertbuild.json_text import parse_json
from bertbuild.plural import number_of

_AS_IT_WAS = "Give the file as it was written."
_MOST_DIGITS = 4000
_KINDS: dict[type | UnionType, str] = {list: "list", str: "text", str | int: "text or whole number"}
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
                f"{path}: line {number} has {number_of(len(row), 'column')}, the first {len(rows[0])}.",
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
            f"{path}: line {line} has {text!r}, which is not a number.",
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
            f"{path}: line {number} has {number_of(len(row), 'column')}; the label is in column {task.column + 1}.",
            next_step=next_step,
        )
    behind_texts = width is not None and task.column > 0 and len(row) > width > task.column
    text = row[task.column - width] if behind_texts and width is not None else row[task.column]
    if not task.labels:
        return _number(path, number, text)
    if text not in task.labels:
        raise DataError(
            f"{path}: line {number} has the label {text[:40]!r}, which is not one of {task.name}'s "
            f"({', '.join(task.labels)}).",
            next_step=next_step,
        )
    return task.labels.index(text)


def read_squad(path: Path) -> list[dict[str, Any]]:
    """The articles of a SQuAD file, of which each question has an id of its own."""
    next_step = "Give dev-v1.1.json or dev-v2.0.json."
    value = _json_lines(path) if path.suffix.lower() == ".jsonl" else _json(path)
    try:
        articles: list[dict[str, Any]] = _held(value, "data", list, "the file")
        times = Counter(_question_ids(articles))
    except _FormError as error:
        raise DataError(f"{path} is not a SQuAD data set: {error}.", next_step=next_step) from error
    if not times:
        raise DataError(f"{path} has no question.", next_step=next_step)
    repeated = [name for name, count in times.items() if count > 1]
    if repeated:
        others = f" (and {number_of(len(repeated) - 1, 'other id')})" if len(repeated) > 1 else ""
        raise DataError(
            f"{path} has {times[repeated[0]]} questions with the id {repeated[0]}{others}, which predictions cannot "
            "tell apart.",
            next_step="Give each question an id of its own, in the predictions too.",
        )
    return articles


class _FormError(Exception):
    """Something in a SQuAD file is not there, or is not what it should be; says what."""


def _question_ids(articles: list[Any]) -> Iterator[str]:
    """The id of each question as text; raises `_FormError` for what figures cannot be had of."""
    for number, article in enumerate(articles, 1):
        for paragraph in _held(article, "paragraphs", list, f"article {number}"):
            for question in _held(paragraph, "qas", list, f"a paragraph of article {number}"):
                name = str(_held(question, "id", str | int, f"a question of article {number}"))
                for answer in _held(question, "answers", list, f"question {name}"):
                    _held(answer, "text", str, f"an answer of question {name}")
                yield name


def _held(holder: object, key: str, kind: type | UnionType, whose: str) -> Any:
    if not isinstance(holder, dict) or key not in holder:
        raise _FormError(f"{whose} has no {key}")
    value = holder[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _FormError(f"the {key} of {whose} is {reprlib.repr(value)}, which is no {_KINDS[kind]}")
    return value


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
        return parse_json(_text(path), parse_int=_whole_number)
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}.", next_step=_AS_IT_WAS) from error


def _json_lines(path: Path) -> dict[str, Any]:
    """SQuAD's form in JSON Lines: each line is an article, or a paragraph with its questions."""
    found = []
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            try:
                value = parse_json(line, parse_int=_whole_number)
            except ValueError as error:
                raise DataError(f"{path}, line {number} is not JSON: {error}.", next_step=_AS_IT_WAS) from error
            found.append({"paragraphs": [value]} if isinstance(value, dict) and "qas" in value else value)
    return {"data": found}


def _whole_number(digits: str) -> int | str:
    """The number; its digits where there are more than Python turns into one, since an id is a text in the end."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _text(path: Path) -> str:
    try:
        content = read_regular(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", next_step="Check the path.") from error
    except CheckpointError as error:
        raise DataError(str(error), next_step=error.next_step) from error
    foreign = foreign_encoding(content) or undecodable(content)
    if foreign is not None:
        raise DataError(f"{path} {foreign}.", next_step="Save it as UTF-8.")
    return content.decode("utf-8-sig")
