"""One line about a target of a build file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIGNS = {"built": "✓", "failed": "✗", "not verified": "?", "skipped": "-"}


def target_line(event: Mapping[str, Any]) -> str:
    """How a target ended: its size and worst figure, or why there are none."""
    state = event["state"]
    name = f"{event['model']}/{event['target']}"
    match state:
        case "built":
            figure = f"max abs {event['max_abs']:.1e} of {event['allowed']:.0e}"
            words = f"built, {event['bytes'] / 1e6:.1f} MB, answers like its source: {figure}"
        case "not verified":
            words = f"NOT VERIFIED: {event['message']}"
        case "skipped":
            words = f"skipped: {event['because']} failed"
        case _:
            words = state
    return f"{SIGNS[state]} {name:<28} {words}"
