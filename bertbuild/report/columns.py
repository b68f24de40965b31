"""Columns in lines: aligned on a terminal; in a pipe whole words with a tab between them, for `cut` and awk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

TAB = "\t"
WIDEST = 60
"""To which a column is filled up; what is longer pushes the rest of its line."""


def tabbed(cells: Iterable[str]) -> str:
    """A row in a pipe: what would end the line or the cell is a blank."""
    return TAB.join(" ".join(cell.split()) for cell in cells)


def aligned(lines: Sequence[str]) -> Iterator[str]:
    """Lines whose columns have tabs between them, with blanks in their place; lines that follow each other agree."""
    block: list[list[str]] = []
    for line in lines:
        cells = line.split(TAB)
        if block and len(cells) != len(block[0]):
            yield from _of_block(block)
            block = []
        block.append(cells)
    yield from _of_block(block)


def _of_block(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        *others, last = row
        filled = (f"{cell:<{width}}" for cell, width in zip(others, widths, strict=False))
        yield "  ".join((*filled, last)).rstrip()
