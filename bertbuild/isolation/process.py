"""Child processes that cannot outlive their purpose: own process group, output sorted into events and log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from bertbuild.isolation.base import OnEvent

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL."""


def run_logged(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    on_event: OnEvent,
) -> int:
    """Run a command to its end; returns its exit code, negative for the signal that ended it.

    Lines on stdout that are JSON objects with an "event" go to `on_event`; all else, and stderr, is appended to `log`.
    Whatever ends this function early (Ctrl-C, SIGTERM turned into an exception, an error in `on_event`) ends the
    child's whole group.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as log_file:
        process = subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log_file,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            with process.stdout:
                _sort_output(process.stdout, log_file, on_event)
            return process.wait()
        except BaseException:
            end_group(process)
            raise


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a child, the leader of its group, and all it started: SIGTERM, some seconds of grace, SIGKILL.

    Once the child is gone, whatever of its group is left gets SIGKILL at once; a second Ctrl-C ends the grace.
    """
    try:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _sort_output(stdout: IO[bytes], log_file: IO[bytes], on_event: OnEvent) -> None:
    for line in stdout:
        event = event_of(line)
        if event is None:
            log_file.write(line)
            log_file.flush()
        else:
            on_event(event)


def event_of(line: bytes) -> dict[str, Any] | None:
    """The event that a line of a stage's stdout is, or None."""
    if not line.startswith(b"{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "event" in value else None
