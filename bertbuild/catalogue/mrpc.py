"""MRPC made of Microsoft's two text files and GLUE's list of pairs, byte for byte as GLUE distributes it.

GLUE may not host the corpus; its script (download_glue_data.py, format_mrpc) makes train.tsv and dev.tsv of
msr_paraphrase_train.txt, in that file's order: the pairs listed in dev_ids.tsv go to dev.tsv. In test.tsv, a number
takes the place of the label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bertbuild.catalogue.dataset_checks import read_lines
from bertbuild.errors import IntegrityError
from bertbuild.plural import number_of

TRAIN, TEST, DEV_IDS = "msr_paraphrase_train.txt", "msr_paraphrase_test.txt", "dev_ids.tsv"
_TEST_HEADER = ("index", "#1 ID", "#2 ID", "#1 String", "#2 String")


def build_mrpc(train: Path, test: Path, dev_ids: Path, folder: Path) -> None:
    """Write train.tsv, dev.tsv and test.tsv into the new folder `folder`. Raises IntegrityError for a broken row."""
    folder.mkdir()
    chosen = {tuple(row) for row in _rows(dev_ids, DEV_IDS, 2)}
    header, *pairs = _rows(train, TRAIN, 5)  # the header keeps its byte order mark
    for name, in_dev in (("train.tsv", False), ("dev.tsv", True)):
        _write(folder / name, header, [pair for pair in pairs if ((pair[1], pair[2]) in chosen) is in_dev])
    _, *pairs = _rows(test, TEST, 5)
    _write(folder / "test.tsv", _TEST_HEADER, [[str(number), *pair[1:]] for number, pair in enumerate(pairs)])


def _rows(path: Path, title: str, columns: int) -> Iterator[Sequence[str]]:
    for number, line in enumerate(read_lines(path, title), 1):
        row = line.strip().split("\t")
        if len(row) != columns:
            raise IntegrityError(
                f"{title}, line {number}: {number_of(len(row), 'column')}, not {columns}.",
                next_step="Get the file from where it is published, or the three .tsv of GLUE.",
                details=line[:200],
            )
        yield row


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines("\t".join(row) + "\n" for row in (header, *rows))
