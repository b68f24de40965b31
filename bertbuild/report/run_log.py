"""What every run leaves behind: its events with their times, in artifacts/runs/, for `report` and for people."""

from __future__ import annotations

import contextlib
import fcntl
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

from bertbuild.json_text import parse_json
from bertbuild.store.past_runs import SAID_BEFORE

FLEETING = ("progress", "download")
"""Events that draw bars: many, and of no interest afterwards."""

NOTHING_DONE = ("cached", "up to date")
"""States of which there are hundreds at once; they reach the disk with the next event of another kind."""

ENDS = ("run", "result")
"""The first event of a run and its last."""

_ENCODER = json.JSONEncoder()


class Reporter(Protocol):
    """Who shows events."""

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show one."""

    def close(self) -> None:
        """Show no more."""


class RunLog:
    """A reporter before another: writes what is passed on to runs/<run>.jsonl, from the event `run` on.

    Several threads may report. A log that cannot be written (a full disk, a read-only store) is left: the run matters
    more.
    """

    def __init__(self, folder: Path, shown: Reporter) -> None:
        self._folder, self._shown = folder, shown
        self._lock = threading.RLock()  # a Ctrl-C may land in here, and is reported
        self._file: TextIO | None = None

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write the event, and pass it on."""
        if event["event"] == SAID_BEFORE:
            self._say_again(str(event["run"]))
            return
        with self._lock:
            with contextlib.suppress(OSError):
                if event["event"] == "run":
                    self._open(str(event["run"]))
                self._write(event)
            self._shown(event)

    def close(self) -> None:
        """Close both."""
        with contextlib.suppress(OSError):
            self._close()
        self._shown.close()

    def _open(self, run: str) -> None:
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / f"{run}.jsonl").open("w", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # `gc` leaves a run's log alone while it is written

    def _say_again(self, run: str) -> None:
        """Write and pass on what an earlier run said, as of now: all but how it began and ended."""
        with self._lock, contextlib.suppress(OSError), (self._folder / f"{run}.jsonl").open(encoding="utf-8") as lines:
            now = f', "time": {round(time.time(), 3)}}}\n'
            for line in lines:
                event = parse_json(line)
                if event["event"] not in ENDS:
                    if self._file is not None:
                        self._file.write(line.rpartition(', "time": ')[0] + now)
                    del event["time"]
                    self._shown(event)

    def _write(self, event: Mapping[str, Any]) -> None:
        if self._file is None or event["event"] in FLEETING:
            return
        try:
            self._file.write(_ENCODER.encode({**event, "time": round(time.time(), 3)}) + "\n")
            if event.get("state") not in NOTHING_DONE and event["event"] != "verdict":
                self._file.flush()
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
