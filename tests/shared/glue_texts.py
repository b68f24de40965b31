"""The texts of GLUE."""

from __future__ import annotations

from pathlib import Path

GLUE = {"MRPC": (3, 4), "RTE": (1, 2), "CoLA": (3, None), "STS-B": (7, 8), "WNLI": (1, 2)}
"""Columns of a task's dev.tsv: a text, and what goes with it."""


def glue(folder):
    """The texts of GLUE's dev sets that are there."""
    for task, (one, two) in GLUE.items():
        path = Path(folder) / task / "dev.tsv"
        if path.is_file():
            rows = path.read_text(encoding="utf-8").splitlines()
            cells = [row.split("\t") for row in (rows if task == "CoLA" else rows[1:])]
            yield (
                f"GLUE {task}",
                [(row[one], row[two] if two else None) for row in cells if len(row) > max(one, two or 0)],
            )
