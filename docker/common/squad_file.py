"""SQuAD's form in a file: one JSON object, or JSON Lines, and a byte order mark. Python 3.6-safe, like this folder."""

import json
import os

from stage import StageInputError, write_json
from text_encoding import not_utf8, refuse_utf16

LINES = ".jsonl"
_MARK = b"\xef\xbb\xbf"


def squad_json(path, content, **options):
    """The JSON of a SQuAD file; of JSON Lines each line is an article, or a paragraph with its questions.

    Args:
        path: of the file; its ending says which of the two it is.
        content: all its bytes.
        options: of `json.loads`.

    Raises:
        StageInputError: it is not UTF-8, or not JSON.
    """
    refuse_utf16(path, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StageInputError("%s %s; convert the file" % (path, not_utf8(error, content))) from error
    try:
        if not path.lower().endswith(LINES):
            return json.loads(text, **options)
        found = [_of_line(number, line, options) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    except RecursionError as error:
        message = "%s is not readable JSON: its lists lie too deep in one another; get the whole file"
        raise StageInputError(message % path) from error
    except ValueError as error:
        raise StageInputError("%s is not JSON (%s); get the whole file" % (path, error)) from error
    return {"data": found}


def _of_line(number, line, options):
    try:
        found = json.loads(line, **options)
    except ValueError as error:
        raise ValueError("line %d: %s" % (number, error)) from error
    return {"paragraphs": [found]} if isinstance(found, dict) and "qas" in found else found


def as_upstream_reads(path, folder):
    """The path of a SQuAD file that upstream's readers take: of a copy in `folder` where it has a mark or lines.

    Raises:
        StageInputError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise StageInputError("cannot read %s: %s" % (path, error.strerror)) from error
    if not content.startswith(_MARK) and not path.lower().endswith(LINES):
        return path
    write_json(folder, "questions.json", squad_json(path, content))
    return os.path.join(folder, "questions.json")
