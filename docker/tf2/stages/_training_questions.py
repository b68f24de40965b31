"""SQuAD's questions as the Model Garden reads them, looked at before it does: it has no word on a file that is none."""

import json
import os

from stage import StageInputError, write_json
from text_encoding import refuse_utf16

_MARK = b"\xef\xbb\xbf"


def readable(path, folder):
    """The path of a SQuAD file that the Model Garden can read: of a copy in `folder` where it begins with a mark.

    Raises:
        StageInputError: it is not a SQuAD file.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
        refuse_utf16(path, content)
        found = json.loads(content.decode("utf-8-sig"))
        for article in found["data"]:
            for paragraph in article["paragraphs"]:
                _require_text(paragraph, "context")
                for question in paragraph["qas"]:
                    _require_text(question, "question")
                    question["id"]
    except OSError as error:
        raise StageInputError("cannot read %s: %s" % (path, error.strerror)) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StageInputError("%s line %d is not UTF-8; save it as UTF-8" % (path, line)) from error
    except RecursionError as error:
        message = "%s is not readable JSON: its lists lie too deep in one another; get the whole file"
        raise StageInputError(message % path) from error
    except ValueError as error:
        raise StageInputError("%s is not JSON (%s); get the whole file" % (path, error)) from error
    except (KeyError, TypeError) as error:
        raise StageInputError("%s is JSON, but not a SQuAD file: %s" % (path, _said(error))) from error
    if not content.startswith(_MARK):
        return path
    write_json(folder, "questions.json", found)
    return os.path.join(folder, "questions.json")


def _require_text(holder, key):
    if not isinstance(holder[key], str):
        raise TypeError("a %s is not text" % key)


def _said(error):
    return "it has no %s" % error if isinstance(error, KeyError) else str(error)
