"""The table of docs/heads.md of what each target makes of each head: written by a test, and read by another."""

from __future__ import annotations

import re
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "docs" / "heads.md"
BEGIN, END = "<!-- heads and targets: begin -->\n", "<!-- heads and targets: end -->\n"
NONE = "none"
"""The column of a checkpoint without a head."""
REFUSED, LEFT_OUT, FAILED = "refused", "left out", "failed"
NO_HEAD = "no such head"
"""A family's models do not have it."""
OTHER_REFERENCE = "°"
"""Behind a figure whose reference is not the source's own graph."""


def block(path=PATH):
    """The text between the two marks."""
    return path.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def replace_block(text, path=PATH):
    """Write another text between the marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(before + BEGIN + text + END + rest.partition(END)[2], encoding="utf-8")


def table(text):
    """Target → column → cell."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    columns = [name.strip() for name in lines[0][1:]] if lines else []
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in lines[2:]}


def notes(text):
    """The sentences below it, which cells name by their numbers, from 1."""
    return re.findall(r"^\(\d+\) (.+)$", text, re.MULTILINE)


def replace_column(column, cells, reasons, date, path=PATH):
    """Write another column, whose cells name reasons of its own by number; every reason is written once."""
    text = block(path)
    rows = table(text)
    names = dict.fromkeys([*(next(iter(rows.values()), ())), column], "")
    told = {target: names | rows.get(target, {}) for target in cells}
    kept = notes(text)
    every = []

    for target, row in told.items():
        own = {name: (cells[target], reasons) if name == column else (cell, kept) for name, cell in row.items()}
        told[target] = {name: renumbered(*cell, every) for name, cell in own.items()}
    replace_block(written(told, every, date), path)


def renumbered(cell, own, every):
    """A cell that names its reason by the number in `every` and no longer in `own`; a new reason is added to it."""
    number = re.search(r"\((\d+)\)", cell)
    if number is None:
        return cell
    reason = own[int(number[1]) - 1]
    if reason not in every:
        every.append(reason)
    return cell.replace(number[0], f"({every.index(reason) + 1})")


def outcome(cell):
    """What a cell says besides its figure: "refused", "left out", …, or "passed" and by which reference."""
    for word in (REFUSED, LEFT_OUT, FAILED, NO_HEAD):
        if cell.startswith(word):
            return word
    float(cell.strip(OTHER_REFERENCE))
    return "passed by another reference" if cell.endswith(OTHER_REFERENCE) else "passed"


def written(cells, reasons, date):
    """The table as Markdown.

    Args:
        cells: target → column → cell.
        reasons: the sentences that cells name by number.
        date: the day it was made.
    """
    columns = list(next(iter(cells.values())))
    lines = [f"Made on {date}.", "", "| target | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    lines += [f"| {target} | " + " | ".join(row[name] for name in columns) + " |" for target, row in cells.items()]
    notes = [f"({number}) {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n\n".join(["\n".join(lines), *notes]) + "\n"
