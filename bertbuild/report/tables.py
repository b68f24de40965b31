"""Tables for people, drawn by rich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table


def parity_table(event: Mapping[str, Any]) -> Table:
    """Every comparison of a verdict: probe, output, the figures and what is allowed."""
    outcome = "answers like its source" if event["passed"] else "does NOT answer like its source"
    table = Table(title=f"{event['model']} {event['target']} {outcome}", box=box.SIMPLE, title_justify="left")
    for heading in ("probe", "output"):
        table.add_column(heading)
    for heading in ("max abs", "allowed", "cosine", "argmax", ""):
        table.add_column(heading, justify="right")
    for row in event["rows"]:
        table.add_row(
            row["probe"],
            row["output"],
            f"{row['max_abs']:.1e}",
            f"{row['limit']:.0e}",
            f"{row['cosine']:.7f}",
            f"{row['argmax']:.0%}",
            "ok" if row["passed"] else "FAIL",
            style=None if row["passed"] else "red",
        )
    if event["skipped"]:
        table.caption = f"not compared, the target cannot take them: {', '.join(event['skipped'])}"
    return table


def plain_table(event: Mapping[str, Any]) -> Table:
    """A table as an event carries it: title, columns, rows of strings."""
    table = Table(title=event["title"], box=box.SIMPLE, title_justify="left")
    for heading in event["columns"]:
        table.add_column(heading, overflow="fold")
    for row in event["rows"]:
        table.add_row(*row)
    return table
