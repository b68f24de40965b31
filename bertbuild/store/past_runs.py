"""What earlier runs said: their events, as runs/RUN.jsonl has them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from bertbuild.json_text import parse_json

SAID_BEFORE = "said before"
"""The event in whose place the log of a run, and who shows events, get those of an earlier run; nobody else sees it."""


def events_of(path: Path) -> list[dict[str, Any]]:
    """The events of a run's log, in order. A run that was killed may have left half a line: it is left out."""
    found = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    for line in text.splitlines():
        try:
            event = parse_json(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            found.append(event)
    return found


def outcomes(folder: Path, most: int = 10) -> dict[tuple[str, str], dict[str, Any]]:
    """Of each (model, target) that the newest runs speak of, the event `target` of the last one, without its others.

    Args:
        folder: runs/.
        most: how many logs are read.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in sorted(folder.glob("*.jsonl"), reverse=True)[:most]:
        of_run: dict[tuple[str, str], dict[str, Any]] = {}
        with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if '"event": "target"' in line and (event := _event(line)):
                    of_run[str(event.get("model")), str(event.get("target"))] = event
        found = of_run | found
    return found


def _event(line: str) -> dict[str, Any]:
    """The event of a line, empty where the line is half of one."""
    with contextlib.suppress(ValueError):
        event = parse_json(line)
        return event if isinstance(event, dict) else {}
    return {}


def short(stage: str, key: str) -> str:
    """A result's short name, by which a log's file name knows it too: STAGE/ and 12 digits of its key."""
    return f"{stage}/{key[:12]}"


def log_name(path: Path) -> tuple[str, str] | None:
    """(when, short name of the result) of a stage's log, from its name TIME-STAGE-KEY.log; None for other files."""
    parts = path.stem.split("-", 2)
    if path.suffix != ".log" or len(parts) != 3 or "-" not in parts[2]:
        return None
    stage, _, key = parts[2].rpartition("-")
    return f"{parts[0]}-{parts[1]}", short(stage, key)
