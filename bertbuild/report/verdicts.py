"""A verdict in words: the processor it was reached on, and what that processor does unless told otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def judged_on(verdict: Mapping[str, Any]) -> str:
    """Where a verdict (its event) was reached, to be put behind a sentence; "" where that was not told."""
    return f", on {verdict['instructions']}" if verdict.get("instructions") else ""


def told_of_default(verdict: Mapping[str, Any]) -> str:
    """How far the answers are that the processor gives by default; "" where these are the ones that were proved."""
    rows = verdict.get("by_default")
    if not rows:
        return ""
    worst = max(rows, key=lambda row: (math.inf if row["max_abs"] is None else row["max_abs"]) / row["limit"])
    figure = "no number" if worst["max_abs"] is None else f"max abs {worst['max_abs']:.1e}"
    figure += f", cosine {min(row['cosine'] for row in rows):.4f} ({worst['output']})"
    return (
        f"by default OpenVINO computes in {verdict['default_precision']} on this processor: {figure}. "
        "Told, not judged; for what was judged, compile with INFERENCE_PRECISION_HINT f32"
    )
