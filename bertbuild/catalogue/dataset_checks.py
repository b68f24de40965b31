"""Whether a file of a data set can be what it should: text, and as many examples as were published.

Most files of GLUE have no hash on record, and people bring their own copies: a web page, an empty file, the files of
another task, a table that a spreadsheet has saved again.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path

from bertbuild.catalogue.contents import refuse_lfs_pointer
from bertbuild.catalogue.datasets import DataFile, Dataset, load_datasets
from bertbuild.errors import IntegrityError
from bertbuild.json_text import parse_json
from bertbuild.plural import are

_GET_IT = "Get the published file: fetch it without --from, or from another mirror."


def check_files(folder: Path, dataset: Dataset) -> None:
    """Check the tables and questions of `dataset` that are in `folder`. Raises IntegrityError at the first fault."""
    for file in dataset.files:
        path = folder / file.name
        if not path.is_file():
            continue
        title = f"{dataset.name}/{file.name}"
        if path.suffix == ".tsv":
            _check_count(dataset, file, title, sum(1 for _ in read_lines(path, title)))
        elif path.suffix == ".json":
            _check_count(dataset, file, title, _questions(path, title))


def read_lines(path: Path, title: str) -> Iterator[str]:
    """The lines of a UTF-8 text, without their ends. Raises IntegrityError for anything else, calling it `title`."""
    _refuse_foreign(path, title)
    with path.open("rb") as stream:
        # Split at \n alone: sentences may hold what str.splitlines takes for the end of a line.
        for number, line in enumerate(stream, 1):
            yield _decoded(line, title, f"line {number:,}").rstrip("\r\n")


def _decoded(text: bytes, title: str, where: str) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityError(
            f"{title} is not UTF-8 text: {where} cannot be read.",
            next_step=f"Something has saved it in another encoding. {_GET_IT}",
            details=str(error),
        ) from error


def _refuse_foreign(path: Path, title: str) -> None:
    if path.stat().st_size == 0:
        raise IntegrityError(f"{title} is empty.", next_step=_GET_IT)
    refuse_lfs_pointer(path)
    with path.open("rb") as stream:
        start = stream.read(64)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise IntegrityError(
            f"{title} is UTF-16; it must be UTF-8.", next_step=f"Something has saved it in another encoding. {_GET_IT}"
        )
    head = start.lstrip().lower()
    if head.startswith((b"<!doctype", b"<html")):
        raise IntegrityError(f"{title} is a web page, not data.", next_step=_GET_IT)


def _check_count(dataset: Dataset, file: DataFile, title: str, count: int) -> None:
    """Compare `count` (lines, or questions) with what was published."""
    wanted = _count(file)
    if count == wanted or (wanted is None and count > file.header):
        return
    others = [
        other.name
        for other in load_datasets().values()
        if other.name != dataset.name
        and (file.name, count) in {(theirs.name, _count(theirs)) for theirs in other.files}
    ]
    published = "a header is not enough" if file.rows is None else f"{file.rows:,} were published"
    rows = max(count - file.header, 0)
    raise IntegrityError(
        f"{title} has {rows:,} {are(rows, 'row', 'rows')}; {published}.",
        next_step=f"It seems to be {others[0]}'s: ask for {others[0]}, or give the folder of {dataset.name}."
        if others
        else f"It was cut or changed, or is another data set's. {_GET_IT}",
    )


def _count(file: DataFile) -> int | None:
    return None if file.rows is None else file.rows + file.header


def _questions(path: Path, title: str) -> int:
    _refuse_foreign(path, title)
    try:
        articles = parse_json(_decoded(path.read_bytes(), title, "it").removeprefix("\ufeff"))["data"]
        return sum(len(paragraph["qas"]) for article in articles for paragraph in article["paragraphs"])
    except json.JSONDecodeError as error:
        raise IntegrityError(
            f"{title} is not complete JSON: it breaks off or goes wrong at line {error.lineno}, column {error.colno}.",
            next_step=_GET_IT,
            details=str(error),
        ) from error
    except ValueError as error:
        raise IntegrityError(f"{title} is not readable JSON.", next_step=_GET_IT, details=str(error)) from error
    except (KeyError, TypeError) as error:
        raise IntegrityError(
            f"{title} is JSON, but not SQuAD's: it has no data, paragraphs or qas.",
            next_step=_GET_IT,
            details=repr(error),
        ) from error
