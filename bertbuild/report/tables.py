"""Tables for people, drawn by rich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table

from bertbuild.gate.parity import judges_in_words
from bertbuild.report.verdicts import judged_on, told_of_default


def parity_table(event: Mapping[str, Any]) -> Table:
    """Every comparison of a verdict: probe, output, the figures and what is allowed."""
    outcome = "answers like its source" if event["passed"] else "does NOT answer like its source"
    title = f"{event['model']} {event['target']} {outcome}{judged_on(event)}"
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for heading in ("probe", "output"):
        table.add_column(heading)
    for heading in ("max abs", "allowed", "cosine", "argmax", ""):
        table.add_column(heading, justify="right")
    for row in event["rows"]:
        unknown = bool(row["reason"])  # nothing could be compared, so there are no figures
        table.add_row(
            row["probe"],
            row["output"],
            "–" if unknown else f"{row['max_abs']:.1e}",
            f"{row['limit']:.0e}",
            "–" if unknown else f"{row['cosine']:.7f}",
            "–" if unknown else f"{row['argmax']:.0%}",
            "ok" if row["passed"] else "FAIL",
            style=None if row["passed"] else "red",
        )
    notes = [f"{row['probe']} {row['output']}: {row['reason']}" for row in event["rows"] if row["reason"]]
    if event["skipped"]:
        notes.append(f"not compared, the target cannot take them: {', '.join(event['skipped'])}")
    words = judges_in_words(event["references"], one_tensorflow=event["one_tensorflow"])
    if words:
        notes.append(f"the source's answers are those of {words}")
    notes += filter(None, [told_of_default(event)])
    table.caption = "\n".join(notes) or None
    return table


def plain_table(event: Mapping[str, Any]) -> Table:
    """A table as an event carries it: title, columns, rows of strings."""
    table = Table(title=event["title"], box=box.SIMPLE, title_justify="left")
    for heading in event["columns"]:
        table.add_column(heading, overflow="fold")
    for row in event["rows"]:
        table.add_row(*row)
    return table
