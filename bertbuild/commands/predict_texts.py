"""predict: the texts that were named, from flags or a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.user_files import read_regular
from bertbuild.errors import CheckpointError, DataError, UsageError
from bertbuild.json_text import parse_json
from bertbuild.names import did_you_mean
from bertbuild.parameters import check, parameter
from bertbuild.plural import number_of
from bertbuild.text.asking import Asked
from bertbuild.toml.values import Location, Name, Text, Truth, Whole

ENDINGS: Final = (".tsv", ".csv", ".jsonl", ".txt")
USUAL: Final = (("text", "text_pair"), ("question", "context"), ("sentence1", "sentence2"), ("sentence", "sentence2"))
"""Names of the columns of a text and of what goes with it, where none are named."""
BATCH_SIZE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict:
    """What is asked of a target."""

    target: str = parameter(
        Text(), "", "what answers: MODEL/TARGET, or the folder of a target", written="MODEL/TARGET|FOLDER"
    )
    text: str | None = parameter(Text(), None, "a text; of a masked-LM head with [MASK] in the place of each word")
    text_pair: str | None = parameter(Text(), None, "the text that goes with --text")
    question: str | None = parameter(Text(), None, "a question on --context")
    context: str | None = parameter(Text(), None, "the paragraph that holds the answer")
    file: str = parameter(
        Location(), "", "texts: .tsv, .csv or .jsonl with named columns, or .txt, a text a line", written="FILE"
    )
    text_column: str = parameter(Name(), "", "column of the texts; default: text, question or sentence")
    text_pair_column: str = parameter(Name(), "", "column of what goes with them; default: text_pair or context")
    batch_size: int = parameter(Whole(1), BATCH_SIZE, "texts at a time")
    max_seq_length: int = parameter(Whole(1), 0, "pieces of a text at most; default: as it was trained, else 128")
    special_tokens_in_text: bool = parameter(
        Truth(), False, "take [SEP], [MASK] and the like in a text for special tokens, as Hugging Face does"
    )

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, before anything is read."""
        check(self)
        if not self.target:
            raise UsageError("No target is named.", next_step="Give --target MODEL/TARGET; invoke status lists them.")
        ways = [self.text is not None, self.question is not None, bool(self.file)]
        if sum(ways) != 1:
            raise UsageError(
                "Name one text, one question, or one file.",
                next_step="Give --text, --question with --context, or --file.",
            )
        if self.text_pair is not None and self.text is None:
            raise UsageError("--text-pair goes with --text.", next_step="Give --text too, or leave it out.")
        if (self.question is None) != (self.context is None):
            raise UsageError("--question and --context belong together.", next_step="Give both.")
        if (self.text_column or self.text_pair_column) and not self.file:
            raise UsageError("--text-column and --text-pair-column are for --file.", next_step="Leave them out.")


def texts_of(asked: Predict) -> list[Asked]:
    """The texts.

    Raises:
        DataError: a file cannot be read, or a text is empty; it says in which row.
        UsageError: the file has no such column.
    """
    if asked.file:
        return _checked(list(_of_file(Path(asked.file), asked)), asked.file)
    if asked.question is not None:
        return _checked([Asked(asked.question, asked.context)], "")
    return _checked([Asked(asked.text or "", asked.text_pair)], "")


def _checked(texts: list[Asked], file: str) -> list[Asked]:
    if not texts:
        raise DataError(f"{file} has no text.", next_step="Give a file with at least one.")
    for number, text in enumerate(texts, 1):
        if not text.text.strip() or (text.other is not None and not text.other.strip()):
            where = f"Text {number} of {file}" if file else "The text"
            raise DataError(f"{where} is empty.", next_step="Give a text with a word in it, or leave it out.")
    return texts


def _of_file(path: Path, asked: Predict) -> Iterator[Asked]:
    if path.suffix not in READERS:
        raise UsageError(
            f"{path} is no {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} file.",
            next_step="Give it the ending that says what it is.",
        )
    content = _decoded(path)
    if path.suffix == ".txt":
        if asked.text_column or asked.text_pair_column:
            raise UsageError(f"{path} has no columns.", next_step="Leave --text-column out.")
        yield from (Asked(line) for line in _lines(content) if line.strip())
        return
    columns: tuple[str, str] | None = None
    for number, row in READERS[path.suffix](path, content):
        columns = columns or _columns(row, path, asked)
        values = [row.get(name) for name in columns if name]
        if not all(isinstance(value, str) for value in values):
            raise DataError(
                f"{path}, row {number}: {columns[[isinstance(v, str) for v in values].index(False)]} is not text.",
                next_step="Fix the row, or remove it.",
            )
        yield Asked(*map(str, values))


def _columns(row: Mapping[str, Any], path: Path, asked: Predict) -> tuple[str, str]:
    """The names of the two columns, the second "" where there is none."""
    for name in filter(None, (asked.text_column, asked.text_pair_column)):
        if name not in row:
            raise UsageError(
                f"{path} has no column {name!r}{did_you_mean(name, row)}",
                next_step=f"Its columns: {', '.join(row)}.",
            )
    if asked.text_column:
        return asked.text_column, asked.text_pair_column
    for one, two in USUAL:
        if one in row:
            return one, asked.text_pair_column or (two if two in row else "")
    raise UsageError(
        f"{path} has no column called text, question or sentence.",
        next_step=f"Name the one that holds the texts: --text-column NAME. Its columns: {', '.join(row)}.",
    )


def _decoded(path: Path) -> str:
    try:
        content = read_regular(path)
    except CheckpointError as error:
        raise DataError(str(error), next_step=error.next_step) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", next_step="Check its path.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        raise DataError(
            f"{path} is not UTF-8: row {row}, byte {column} of it.", next_step="Convert the file to UTF-8."
        ) from error


def _lines(content: str) -> list[str]:
    """Its lines; LF, or CR and LF, ends one."""
    lines = [line.removesuffix("\r") for line in content.split("\n")]
    return lines if lines[-1] else lines[:-1]


Rows = Iterator[tuple[int, Mapping[str, Any]]]


def _tab_separated(path: Path, content: str) -> Rows:
    """Without quotes, as GLUE's files are. An empty line is no row, but where there is one column: an empty text."""
    lines = _lines(content.rstrip("\r\n"))
    names = lines[0].split("\t") if lines else []
    for number, line in enumerate(lines[1:], 2):
        if line or len(names) == 1:
            yield number, _row(names, line.split("\t"), path, number)


def _comma_separated(path: Path, content: str) -> Rows:
    lines = csv.reader(content.rstrip("\r\n").splitlines(keepends=True), strict=True)
    names: Sequence[str] = ()
    try:
        for cells in lines:
            if not names:
                names = cells
            elif cells or len(names) == 1:
                yield lines.line_num, _row(names, cells or [""], path, lines.line_num)
    except csv.Error as error:
        raise DataError(
            f"{path}, up to line {lines.line_num}: {error}.",
            next_step="Close the quote; a quote inside a cell is written twice.",
        ) from error


def _row(names: Sequence[str], cells: Sequence[str], path: Path, number: int) -> dict[str, str]:
    if len(cells) != len(names):
        raise DataError(
            f"{path}, row {number} has {number_of(len(cells), 'cell')}, and the first row names "
            f"{number_of(len(names), 'column')}.",
            next_step="Fix the row, or remove it.",
        )
    return dict(zip(names, cells, strict=True))


def _json_lines(path: Path, content: str) -> Rows:
    for number, line in enumerate(_lines(content), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number} is not JSON: {error}.", next_step="Fix the line.") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number} holds no JSON object.", next_step="Fix the line.")
        yield number, row


READERS: Final[dict[str, Callable[[Path, str], Rows]]] = {
    ".tsv": _tab_separated,
    ".csv": _comma_separated,
    ".jsonl": _json_lines,
    ".txt": lambda _path, _content: iter(()),
}
