"""A run log as it lies on disk: whole, torn by a kill, or still being written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.json_text import parse_json

JITTER = 1.0
"""Seconds by which events of several threads may be out of order; more than that, and the clock was set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The events of a run.

    Attributes:
        events: those that can be read; each has "event" (str) and "time" (float, seconds, never falling).
        unreadable: how many lines are not events. A killed run leaves at most one, its last.
        set_back: seconds by which the clock went back while the run went on.
    """

    events: tuple[dict[str, Any], ...]
    unreadable: int = 0
    set_back: float = 0.0


def read_log(path: Path) -> Log:
    """The events of a log file, whatever state it is in.

    Raises:
        OSError: it cannot be read at all.
    """
    events: list[dict[str, Any]] = []
    unreadable, set_back, now = 0, 0.0, 0.0
    for line in path.read_bytes().splitlines():
        event = _event(line)
        if event is None:
            unreadable += 1
            continue
        if event["time"] + set_back < now - JITTER:
            set_back = now - event["time"]
        now = max(now, event["time"] + set_back)
        events.append({**event, "time": now})
    return Log(events=tuple(events), unreadable=unreadable, set_back=set_back)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = parse_json(line)
        return {**event, "event": str(event["event"]), "time": float(event["time"])}
    except (ValueError, KeyError, TypeError):
        return None
