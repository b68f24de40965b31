"""Own data: tables of texts and labels (.tsv, .csv, .jsonl) with named columns, and CoNLL files; a file a split."""

import csv
import difflib
import io
import json
import os

from stage import StageInputError
from text_encoding import not_utf8, refuse_utf16

SPLITS = {"train": ("train",), "eval": ("dev", "valid", "validation", "eval"), "test": ("test",)}
"""What the files of a split are called, without the ending."""
TABLES = (".tsv", ".csv", ".jsonl")
TAGGED = (".conll", ".txt")
"""Endings of tables, and of files with a token and its tag on each line."""


def files(path):
    """The files of own data: split → path. One file alone is the training set.

    Raises:
        StageInputError: there is none, two are of one split, or tables and tagged files are mixed.
    """
    if not os.path.isdir(path):
        if not path.lower().endswith((*TABLES, *TAGGED)):
            message = "%s is neither a table (%s) nor a CoNLL file (%s); give it the ending of what it is"
            raise StageInputError(message % (path, ", ".join(TABLES), ", ".join(TAGGED)))
        return {"train": path}
    found = {}
    for name in sorted(os.listdir(path)):
        stem, ending = os.path.splitext(name.lower())
        for split, stems in SPLITS.items():
            if stem in stems and ending in (*TABLES, *TAGGED):
                if split in found:
                    message = "%s has two files for %s, %s and %s; remove one of them"
                    raise StageInputError(message % (path, split, os.path.basename(found[split]), name))
                found[split] = os.path.join(path, name)
    if not found:
        message = "%s holds no own data; name its files train, dev, test with one of the endings %s"
        raise StageInputError(message % (path, ", ".join((*TABLES, *TAGGED))))
    if len({is_tagged(file) for file in found.values()}) > 1:
        message = "%s has tables and CoNLL files beside each other; leave the files of one task there"
        raise StageInputError(message % path)
    return found


def is_tagged(path):
    """Whether a file is a CoNLL file by its name, and not a table."""
    return path.lower().endswith(TAGGED)


def read_text(path):
    """A file's text, without a byte order mark; raises `StageInputError` where it is not UTF-8, or empty."""
    with open(path, "rb") as file:
        content = file.read()
    refuse_utf16(path, content)
    if not content.strip():
        raise StageInputError("%s is empty; get the whole file" % path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = "%s %s; convert the file, for instance: iconv -f latin1 -t utf-8"
        raise StageInputError(message % (path, not_utf8(error, content))) from error


def read_table(path, columns, optional=()):
    """The rows of a table: (line number, {column: value}) each; a value is a text, or what JSON has there.

    Args:
        path: of the file; its ending says how it is read. Quotes are text in a .tsv, as in GLUE's.
        columns: the columns to read.
        optional: those that the file need not have; their values are None then.

    Raises:
        StageInputError: a column is not there, a row is too short or too long, there is no row.
    """
    text = read_text(path)
    rows = list((_json_rows if path.lower().endswith(".jsonl") else _cell_rows)(path, text, columns, optional))
    if not rows:
        raise StageInputError("%s holds no rows; get the whole file" % path)
    return rows


def _cell_rows(path, text, columns, optional):
    lines = _csv(path, text) if path.lower().endswith(".csv") else _tsv(text)
    _, header = next(lines)
    header = [name.strip() for name in header]
    missing = [name for name in columns if name not in header and name not in optional]
    if missing:
        near = difflib.get_close_matches(missing[0], header, n=1)
        hint = 'did you mean "%s"?' % near[0] if near else "its columns are %s" % ", ".join(header)
        raise StageInputError("%s has no column %s; %s" % (path, missing[0], hint))
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            what = (
                "the column %s is missing" % header[len(cells)] if len(cells) < len(header) else "a separator in a text"
            )
            message = "%s line %d has %d columns where the header has %d: %s; fix the line or remove it"
            raise StageInputError(message % (path, line, len(cells), len(header), what))
        values = dict(zip(header, cells))
        yield line, {name: values.get(name) for name in columns}


def _tsv(text):
    for number, line in enumerate(text.split("\n"), 1):
        yield number, line.rstrip("\r").split("\t")


def _csv(path, text):
    reader, began = csv.reader(io.StringIO(text, newline=""), strict=True), 1
    try:
        for cells in reader:
            yield began, cells
            began = reader.line_num + 1
    except csv.Error as error:
        message = "%s line %d is not CSV (%s): is a quote not closed? Fix the line or remove it"
        raise StageInputError(message % (path, began, error)) from error


def _json_rows(path, text, columns, optional):
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StageInputError(
                "%s line %d is not JSON (%s); fix the line or remove it" % (path, number, error)
            ) from error
        if not isinstance(row, dict):
            raise StageInputError('%s line %d is no JSON object; write {"column": value, …}' % (path, number))
        missing = [name for name in columns if name not in row and name not in optional]
        if missing:
            near = difflib.get_close_matches(missing[0], row, n=1)
            hint = 'did you mean "%s"?' % near[0] if near else "add it or remove the line"
            message = "%s line %d has no %s (it has %s); %s"
            raise StageInputError(message % (path, number, missing[0], ", ".join(map(str, row)), hint))
        yield number, {name: row.get(name) for name in columns}
