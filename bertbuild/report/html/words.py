"""Figures and states as people read them."""

from __future__ import annotations

import re
import time

from bertbuild.report.clean import clean

MINUTE, HOUR = 60.0, 3600.0
SIGNS = {
    "done": "✓",
    "built": "✓",
    "cached": "=",
    "up to date": "=",
    "failed": "✗",
    "skipped": "–",
    "interrupted": "‖",
    "unfinished": "…",
    "not finished": "…",
    "not begun": "○",
    "not verified": "?",
}
"""A sign for each state, so that colour alone tells nothing."""

LONGEST_LINE = 400


def seconds(value: float | None) -> str:
    """`0.42 s`, `58.1 s`, `12 min 5 s`, `2 h 5 min`."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.2f} s"
    if round(value, 1) < MINUTE:
        return f"{value:.1f} s"
    if round(value) < HOUR:
        return f"{round(value) // 60} min {round(value) % 60} s"
    return f"{round(value / MINUTE) // 60} h {round(value / MINUTE) % 60} min"


def size(value: float | None) -> str:
    """`4.2 kB`, `90.3 MB`, `1.21 GB`, in powers of 1000 as everywhere in bertbuild."""
    if value is None:
        return "–"
    if value < 1e6:
        return f"{value / 1e3:.1f} kB"
    return f"{value / 1e6:.1f} MB" if value < 1e9 else f"{value / 1e9:.2f} GB"


def error(value: float | None) -> str:
    """A difference or its limit: `1.2e-06`; no figure is infinitely far."""
    return "no figure" if value is None else f"{value:.1e}"


def moment(unix: float) -> str:
    """`2026-11-21 14:03:12 UTC`."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(unix))
    except (ValueError, OverflowError, OSError):
        return "at no time that a clock shows"


def sign(state: str) -> str:
    """The sign of a state; one that this version does not know has a dot."""
    return SIGNS.get(state, "·")


def css(state: str) -> str:
    """A state as the name of a class."""
    return re.sub(r"[^a-z]+", "-", state.lower())


def short(text: str, length: int) -> str:
    """The text, cut with an ellipsis in its middle where it is longer: both ends of a name tell most."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def log_lines(text: str) -> list[str]:
    """The lines of a log, cleaned; of one drawn over and over, its last state; very long ones are cut."""
    lines = (clean(line.rstrip("\r").rsplit("\r", 1)[-1]) for line in text.rstrip().split("\n"))
    return [
        line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} … ({len(line)} characters)" for line in lines
    ]
