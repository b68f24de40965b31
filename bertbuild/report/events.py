"""JSON lines on stdout: every event as it happens, the result last. For CI and other programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, TextIO


class JsonReporter:
    """One JSON object a line. The last one has `"event": "result"` or `"event": "error"`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write the event."""
        self._stream.write(json.dumps(event, sort_keys=True) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""
