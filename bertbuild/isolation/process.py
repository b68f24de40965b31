"""Child processes that cannot outlive their purpose: own process group, output sorted into events and log."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from bertbuild.errors import Interrupted
from bertbuild.isolation.base import OnEvent
from bertbuild.json_text import parse_json

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL."""


class Process(Protocol):
    """The leader of a process group, as far as it matters here: `subprocess.Popen`, or a forked stage."""

    @property
    def pid(self) -> int:
        """Its id, and its group's."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """What it writes."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for the signal that ended it.

        Raises:
            subprocess.TimeoutExpired: it has not ended yet.
        """


Started = TypeVar("Started", bound=Process)


class Fork(Protocol):
    """Starts a command, `python -m MODULE WORDS…`, otherwise than by executing a program."""

    def __call__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, stderr: IO[bytes]
    ) -> Process | None:
        """What leads a session of its own and has a pipe for its stdout; None where it cannot be."""


class Children:
    """The processes that several threads wait for, each the leader of a group; any thread can end them all."""

    def __init__(self) -> None:
        self._running: set[Process] = set()
        self._ending = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, stderr: IO[bytes] | int
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A child whose stdout is a pipe; when this block is left in a hurry, its whole group is ended.

        Raises:
            Interrupted: all have been told to end.
        """
        with self.started(lambda: popen(command, env=env, cwd=cwd, stderr=stderr)) as process:
            yield process

    @contextlib.contextmanager
    def started(self, start: Callable[[], Started]) -> Iterator[Started]:
        """The same of a child that `start` starts."""
        with self._lock:  # so that none is started that `end` does not see
            if self._ending:
                raise Interrupted("Stopped before the end.")
            process = start()
            self._running.add(process)
        try:
            with process.stdout or contextlib.nullcontext():
                yield process
            process.wait()
        except BaseException:
            end_groups([process])
            raise
        finally:
            with self._lock:
                self._running.discard(process)

    def end(self) -> None:
        """End all that run, and let none be started any more."""
        with self._lock:
            self._ending = True
            running = list(self._running)
        end_groups(running)


def popen(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, stderr: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    """Execute a program with nothing to read, in a session of its own; its stdout is a pipe."""
    return subprocess.Popen(
        list(command),
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )


def run_logged(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    on_event: OnEvent,
    children: Children,
    fork: Fork | None = None,
) -> int:
    """Run a command to its end; returns its exit code, negative for the signal that ended it.

    Where `fork` gives a process for it, no program is executed.

    Lines on stdout that are JSON objects with an "event" go to `on_event`; all else, and stderr, is appended to `log`,
    and so are the words of events that say what is done (`logged`).
    Whatever ends this function early (Ctrl-C, SIGTERM turned into an exception, an error in `on_event`) ends the
    child's whole group.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as log_file:

        def start() -> Process:
            forked = fork(command, env=env, cwd=cwd, stderr=log_file) if fork else None
            return forked or popen(command, env=env, cwd=cwd, stderr=log_file)

        with children.started(start) as process:
            _sort_output(process.stdout or (), log_file, on_event)
            return process.wait()


def end_groups(leaders: Sequence[Process]) -> None:
    """End children, each the leader of its group, and all they started: SIGTERM, some seconds of grace, SIGKILL.

    Once a child is gone, whatever of its group is left gets SIGKILL at once; a second Ctrl-C ends the grace.
    """
    try:
        for leader in leaders:  # all at once first: each may take its seconds of grace
            with contextlib.suppress(ProcessLookupError):
                os.killpg(leader.pid, signal.SIGTERM)
        end = time.monotonic() + GRACE_SECONDS
        for leader in leaders:
            with contextlib.suppress(subprocess.TimeoutExpired):
                leader.wait(max(0.0, end - time.monotonic()))
                _kill(leader)
    finally:
        for leader in leaders:
            _kill(leader)
            leader.wait()


def _kill(leader: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)


def _sort_output(stdout: Iterable[bytes], log_file: IO[bytes], on_event: OnEvent) -> None:
    began = time.monotonic()
    for line in stdout:
        event = event_of(line)
        log_file.write(line if event is None else logged(event, time.monotonic() - began))
        log_file.flush()
        if event is not None:
            on_event(event)


def logged(event: Mapping[str, Any], seconds: float) -> bytes:
    """What a log keeps of an event, so many seconds after the stage was started: what is done, and what to know."""
    if event["event"] not in ("step", "note", "refused"):
        return b""
    kind = "" if event["event"] == "step" else f"{event['event']}: "
    return f"{seconds:7.1f} s  {kind}{event.get('text', '')}\n".encode()


def event_of(line: bytes) -> dict[str, Any] | None:
    """The event that a line of a stage's stdout is, or None."""
    if not line.startswith(b"{"):
        return None
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "event" in value else None
