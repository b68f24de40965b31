"""What the benches share that set a stage which converts a base-size checkpoint against a program of others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from common import MIB, Measured, Targets, machine, median, paired_ratio

MOST_TIME, MOST_MEMORY = 0.1, 0.3


def parser_of(doc: str | None, python_has: str, runs: int) -> argparse.ArgumentParser:
    """The command line: the other side's Python, the size, how many runs.

    Args:
        doc: of the bench.
        python_has: the packages that the Python must have.
        runs: of each side, where none is said.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", type=Path, help=f"a Python that has {python_has}")
    parser.add_argument("--size", default="base", help="of random_checkpoint.py (default: base)")
    parser.add_argument("--runs", type=int, default=runs, help=f"runs of each side (default: {runs})")
    return parser


def header(args: argparse.Namespace, size: int) -> str:
    """The line above the table; `size` is of the checkpoint in bytes."""
    measured = f"a checkpoint of {size / MIB:.0f} MiB; medians of {args.runs} paired runs"
    return f"{machine()}; {args.size}-size, {measured}\n"


def process_rows(targets: Targets, ours: Sequence[Measured], theirs: Sequence[Measured]) -> list[list[str]]:
    """Time and memory of both sides' processes, judged."""
    rows = []
    for what, unit, most, get in (
        ("wall time", "s", MOST_TIME, lambda run: run.seconds),
        ("processor time", "s", None, lambda run: run.cpu_seconds),
        ("peak memory", "MiB", MOST_MEMORY, lambda run: run.peak_bytes / MIB),
    ):
        left, right = [get(run) for run in ours], [get(run) for run in theirs]
        ratio = paired_ratio(left, right)
        judged = "" if most is None else targets.at_most(what, ratio, most)
        rows.append([f"{what}, {unit}", f"{median(left):.2f}", f"{median(right):.2f}", f"{ratio:.3f}", judged])
    return rows
