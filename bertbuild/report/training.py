"""A training run in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bertbuild.report.pace import duration


def training_line(event: Mapping[str, Any]) -> str:
    """`step 120 of 344, loss 0.512, 4.80 s a step, about 18 min left` of an event "training"."""
    line = f"step {event['step']} of {event['steps']}, loss {event['loss']:.3f}"
    seconds = event.get("seconds_per_step")
    left = event["steps"] - event["step"]
    if seconds is None:
        return line
    line += f", {seconds:.2f} s a step"
    return f"{line}, about {duration(left * seconds)} left" if left else line
