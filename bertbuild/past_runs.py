"""What earlier runs said: their events, as runs/RUN.jsonl has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def events_of(path: Path) -> list[dict[str, Any]]:
    """The events of a run's log, in order. A run that was killed may have left half a line: it is left out."""
    found = []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            found.append(event)
    return found


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
