"""Processes that run one stage together: each knows all by TF_CONFIG, and one that fails ends all."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO

from bertbuild.isolation.base import OnEvent, StageRun
from bertbuild.isolation.process import Children, end_groups, event_of, logged


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One of them: how to start it, and the file that gets all it writes that is not an event."""

    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at now."""
    import socket

    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(held_one.getsockname()[1]) for held_one in sockets]


def cluster(addresses: Sequence[str], index: int) -> str:
    """TF_CONFIG of one of the workers at these addresses (host:port)."""
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}})


def worker_folder(run: StageRun, index: int) -> Path:
    """The private folder of a worker, with its empty `out` in it; that of the first is the run's own."""
    folder = run.work if index == 0 else run.work / "workers" / str(index)
    (folder / "out").mkdir(parents=True, exist_ok=True)
    return folder


def worker_log(run: StageRun, index: int) -> Path:
    """The log of a worker; that of the first is the run's own."""
    return run.log if index == 0 else run.log.with_suffix(f".worker-{index}{run.log.suffix}")


def run_together(workers: Sequence[Worker], on_event: OnEvent, children: Children) -> tuple[int, int]:
    """Run all until the first one, whose result counts, ends well, or any ends with an error; the others are ended.

    Events of the first worker go to `on_event`, and why another one refused its input. Ctrl-C ends all.

    Returns:
        which worker decided, and its exit code, negative for the signal that ended it.
    """
    lines: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
    running: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as held:
        try:
            for index, worker in enumerate(workers):
                worker.log.parent.mkdir(parents=True, exist_ok=True)
                log = held.enter_context(worker.log.open("ab"))
                started = children.start(worker.command, env=worker.env, cwd=worker.cwd, stderr=log)
                running.append(held.enter_context(started))
                Thread(target=_read, args=(running[-1], log, index, lines), daemon=True).start()
            while True:
                index, line = lines.get()
                if line:
                    event = event_of(line)
                    if event is not None and (index == 0 or event["event"] == "refused"):
                        on_event(event)
                elif (code := running[index].wait()) != 0 or index == 0:
                    return index, code
        finally:
            end_groups(running)


def _read(process: subprocess.Popen[bytes], log: IO[bytes], index: int, lines: SimpleQueue[tuple[int, bytes]]) -> None:
    """Pass events on, write the rest to the log; an empty line is the end."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    began = time.monotonic()
    with process.stdout, contextlib.suppress(ValueError):  # the log is closed once all are ended
        for line in process.stdout:
            event = event_of(line)
            log.write(line if event is None else logged(event, time.monotonic() - began))
            log.flush()
            if event is not None:
                lines.put((index, line))
    lines.put((index, b""))
