"""SQuAD's questions as the Model Garden reads them, looked at before it does: it has no word on a file that is none."""

from squad_file import as_upstream_reads, squad_json
from stage import StageInputError


def readable(path, folder):
    """The path of a SQuAD file that the Model Garden can read: of a copy in `folder` where it has a mark or lines.

    Raises:
        StageInputError: it is not a SQuAD file.
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
        found = squad_json(path, content)
        for article in found["data"]:
            for paragraph in article["paragraphs"]:
                _require_text(paragraph, "context")
                for question in paragraph["qas"]:
                    _require_text(question, "question")
                    question["id"]
    except OSError as error:
        raise StageInputError("cannot read %s: %s" % (path, error.strerror)) from error
    except (KeyError, TypeError) as error:
        raise StageInputError("%s is JSON, but not a SQuAD file: %s" % (path, _said(error))) from error
    return as_upstream_reads(path, folder)


def _require_text(holder, key):
    if not isinstance(holder[key], str):
        raise TypeError("a %s is not text" % key)


def _said(error):
    return "it has no %s" % error if isinstance(error, KeyError) else str(error)
