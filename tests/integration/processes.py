"""Processes that work over an artifacts folder, whoever started them."""

from __future__ import annotations

import time
from pathlib import Path


def processes_over(artifacts):
    """Command lines of all processes that were given a path below these artifacts, be it as a word or as a variable."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if words and str(artifacts).encode() in words + variables:
            found.append(words.replace(b"\0", b" ").decode())
    return found


def left_after(seconds, artifacts):
    """What of a run is still alive some seconds after its end, or nothing as soon as it is gone."""
    deadline = time.monotonic() + seconds
    while (left := processes_over(artifacts)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
