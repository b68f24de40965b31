"""Rows of a task's files, read in blocks, and what is wrong with them."""

import math
import os
from dataclasses import dataclass, field, replace
from typing import Optional

from stage import StageInputError
from text_encoding import not_utf8, refuse_utf16

from stages import _glue

_BLOCK = 1 << 18  # bytes of a file that are worked on at a time
MOST_SCORE = 5.0  # of STS-B


@dataclass
class Rows:
    """What a block of a file holds: texts, label and language (or None) of each row; what was left out.

    `wide` are the numbers of lines with more columns than the header; `unlabelled` counts rows on whose label the
    annotators did not agree.
    """

    found: list = field(default_factory=list)
    blank: int = 0
    short: int = 0
    wide: list = field(default_factory=list)
    unlabelled: int = 0


@dataclass(frozen=True)
class File:
    """A table where it lies, and the task it is a table of.

    Attributes:
        path: where it lies.
        name: of the task.
        task: the task.
        table: which columns are what.
        width: how many columns its rows have, None where the header does not tell.
        every: whether no row may be left out: predictions are told apart by the number of their row.
    """

    path: str
    name: str
    task: _glue.Task
    table: _glue.Table
    width: Optional[int] = None
    every: bool = False

    def blocks(self):
        """Its `Block`s, without the header; raises `StageInputError` if there is no row."""
        number, empty = 1, True
        with open(self.path, "rb") as file:
            if self.table.names:
                file.readline()
                number += 1
            while True:
                block = file.read(_BLOCK)
                block += file.readline()
                if not block:
                    break
                empty = empty and block.isspace()
                yield Block(self, number, block)
                number += block.count(b"\n")
        if empty:
            raise StageInputError("%s holds no rows; get the whole file" % self.path)

    def header(self):
        """What is odd about the header, in words, or None; raises `StageInputError` where it is another task's."""
        with open(self.path, "rb") as file:
            cells = self._text(1, file.readline()).strip("\r\n").split("\t")
        wanted = self.table
        if not wanted.names or _names(cells, wanted) == wanted.names:
            return None
        others = [name for name in _glue.NAMES if any(_is_of(cells, table) for table in _glue.tables(name))]
        if others:
            message = (
                "the header of %s is that of %s, not of %s; give the folder of the task, or the task of the folder"
            )
            raise StageInputError(message % (self.path, " or ".join(others), self.name))
        message = "the first line of %s is left out as its header, though it does not name columns as %s's does: %s"
        return message % (self.path, self.name, "\t".join(cells)[:100])

    def rows(self, first, block):
        """The `Rows` of a block; raises `StageInputError`, which names the line, for what upstream would stop at."""
        rows = Rows()
        table, labels = self.table, self._labels()
        for number, line in enumerate(self._text(first, block).replace("\r", "").split("\n"), first):
            cells = line.split("\t")
            if self.width is not None and len(cells) > self.width:
                cells = self._text_with_tabs(cells, number)
                if not cells:
                    rows.wide.append(number)
                    continue
            if len(cells) < table.columns:
                if not line.strip():
                    rows.blank += 1
                elif table.skips:
                    rows.short += 1
                else:
                    message = "%s line %d has %d columns where %s has at least %d; fix the line or remove it"
                    raise StageInputError(message % (self.path, number, len(cells), self.name, table.columns))
                continue
            if table.label is not None and cells[table.label] == _glue.NO_LABEL and self.task.labels == _glue.INFERENCE:
                rows.unlabelled += 1
                continue
            label = 0 if table.label is None else self._label(cells[table.label], labels, number)
            language = None if table.language is None else self._language(cells[table.language], number)
            rows.found.append(([cells[column] for column in table.texts], label, language))
        if block.endswith(b"\n"):
            rows.blank -= 1  # what follows the last line's end is not a line
        return rows

    def _text_with_tabs(self, cells, number):
        """The cells of a row in whose text there are tabs, [] where it is one text of two and nobody knows which."""
        texts = self.table.texts
        if len(texts) == 1:
            after = len(cells) - (self.width - 1 - texts[0])
            return [*cells[: texts[0]], "\t".join(cells[texts[0] : after]), *cells[after:]]
        if self.every:
            message = "%s line %d has %d columns where the header has %d: a tab in a text; put a space in its place"
            raise StageInputError(message % (self.path, number, len(cells), self.width))
        return []

    def _text(self, first, block):
        if first == 1:
            refuse_utf16(self.path, block)
        try:
            return block.decode("utf-8-sig" if first == 1 else "utf-8")  # the first line may begin with a mark
        except UnicodeDecodeError as error:
            message = "%s %s; convert the file, for instance: iconv -f latin1 -t utf-8"
            raise StageInputError(message % (self.path, not_utf8(error, block, first))) from error

    def _labels(self):
        labels = {label: number for number, label in enumerate(self.task.labels or ())}
        if self.name == "XNLI":
            labels["contradictory"] = labels["contradiction"]  # the machine-translated training data's spelling
        return labels

    def _label(self, text, labels, number):
        if self.task.labels is None:
            try:
                score = float(text)
            except ValueError:
                score = math.nan
            if 0 <= score <= MOST_SCORE:
                return score
            known = "a number from 0 to %g" % MOST_SCORE
        elif text in labels:
            return labels[text]
        else:
            known = "one of %s" % ", ".join(self.task.labels)
        message = "%s line %d has the label %r, which is not %s; is it a file of another task than %s?"
        raise StageInputError(message % (self.path, number, text[:50], known, self.name))

    def _language(self, text, number):
        if text not in _glue.LANGUAGES:
            message = "%s line %d is of the language %r, which XNLI does not have; fix the line or remove it"
            raise StageInputError(message % (self.path, number, text[:50]))
        return text


@dataclass(frozen=True)
class Block:
    """Some lines of a file, from line number `first` on."""

    file: File
    first: int
    lines: bytes


@dataclass
class Made:
    """What came of a block: (language, parts of the record but for example_id) of each row, and what was left out."""

    records: list
    blank: int
    short: int
    wide: list
    size: int
    unlabelled: int = 0


def made_of(make, block):
    """The `Made` of a block; `make` gives the parts of a row's record from its texts and label."""
    rows = block.file.rows(block.first, block.lines)
    records = [(language, make(texts, [label])) for texts, label, language in rows.found]
    return Made(records, rows.blank, rows.short, rows.wide, len(block.lines), rows.unlabelled)


def files(folder, name, task, split):
    """The files of one split ("train", "eval", "test") of a task, [] where the folder has none of them.

    Raises `StageInputError` where it has some and not all.
    """
    found = [File(os.path.join(folder, table.file), name, task, table) for table in getattr(task, split)]
    missing = [file.path for file in found if not os.path.isfile(file.path)]
    if missing and len(missing) < len(found):
        raise StageInputError("%s is missing; fetch the whole data set, or prepare fewer languages" % missing[0])
    if missing:
        return []
    return [replace(file, width=_width(file), every=split != "train") for file in found]


def _width(file):
    """How many columns the rows of a file have, None where its header is not the one that is known."""
    if not file.table.names:
        return file.table.columns
    with open(file.path, "rb") as stream:
        cells = stream.readline().decode("utf-8-sig", "replace").strip("\r\n").split("\t")
    return len(cells) if _is_of(cells, file.table) else None


def _names(cells, table):
    return tuple(cells[column] for column in table.texts if column < len(cells))


def _is_of(cells, table):
    return bool(table.names) and _names(cells, table) == table.names
