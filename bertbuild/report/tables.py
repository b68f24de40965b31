"""Tables for people: drawn by rich on a terminal, lines with tabs in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bertbuild.gate.answered import Answered, reasons
from bertbuild.gate.parity import reference_in_words
from bertbuild.report.columns import tabbed
from bertbuild.report.verdicts import judged_on, told_of_default

if TYPE_CHECKING:
    from rich.table import Table

PARITY_COLUMNS = ("probe", "output", "max abs", "allowed", "cosine", "argmax", "")


def parity_table(event: Mapping[str, Any]) -> Table:
    """Every comparison of a verdict: probe, output, the figures and what is allowed."""
    table = _table(_parity_title(event))
    for number, heading in enumerate(PARITY_COLUMNS):
        table.add_column(heading, justify="left" if number < 2 else "right")
    for row in event["rows"]:
        table.add_row(*_parity_cells(row), style=None if row["passed"] else "red")
    table.caption = "\n".join(_parity_notes(event)) or None
    return table


def parity_lines(event: Mapping[str, Any]) -> Iterator[str]:
    """The same as lines with tabs."""
    yield _parity_title(event)
    yield from _lines(PARITY_COLUMNS, map(_parity_cells, event["rows"]))
    yield from _parity_notes(event)


def plain_table(event: Mapping[str, Any]) -> Table:
    """A table as an event carries it: title, columns, rows of strings."""
    table = _table(event["title"])
    for heading in event["columns"]:
        table.add_column(heading, overflow="fold")
    for row in event["rows"]:
        table.add_row(*row)
    return table


def plain_lines(event: Mapping[str, Any]) -> Iterator[str]:
    """The same as lines with tabs."""
    yield from filter(None, [event["title"]])
    yield from _lines(event["columns"], event["rows"])


def _table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(title=title, box=box.SIMPLE, title_justify="left")


def _lines(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    if any(columns):
        yield tabbed(columns)
    yield from map(tabbed, rows)


def _parity_title(event: Mapping[str, Any]) -> str:
    outcome = "answers like its source" if event["passed"] else "does NOT answer like its source"
    return f"{event['model']} {event['target']} {outcome}{judged_on(event)}"


def _parity_cells(row: Mapping[str, Any]) -> list[str]:
    unknown = bool(row["reason"])  # nothing could be compared, so there are no figures
    return [
        row["probe"],
        row["output"],
        "–" if unknown else f"{row['max_abs']:.1e}",
        f"{row['limit']:.0e}",
        "–" if unknown else f"{row['cosine']:.7f}",
        "–" if unknown else f"{row['argmax']:.0%}",
        "ok" if row["passed"] else "FAIL",
    ]


def _parity_notes(event: Mapping[str, Any]) -> list[str]:
    notes = [f"{row['probe']} {row['output']}: {row['reason']}" for row in event["rows"] if row["reason"]]
    if event["skipped"]:
        notes.append(f"not compared, the target cannot take them: {', '.join(event['skipped'])}")
    words = reference_in_words(event)
    if words:
        notes.append(f"reference: {words}")
    notes += reasons(Answered.from_json(one) for one in event.get("answered_by", ()))
    return [*notes, *filter(None, [told_of_default(event)])]
