"""A scheduler and workers as processes of this machine, with a store each, and a remote store between them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess

from killing import descendants
from processes import left_after
from program import Bertbuild
from registry_server import free_port
from remote_doubles import keys_in


class Processes:
    """Starts them; as a context it ends them all, by their ids.

    Attributes:
        folder: holds the stores.
        root: the checkout that they run.
        place: the remote store.
    """

    def __init__(self, folder, root, place=""):
        self.folder, self.root = folder, root
        (folder / "remote").mkdir(parents=True)
        self.place = place or f"file://{folder / 'remote'}"
        self.key, self.trust = keys_in(folder / "keys")
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.running = {}

    def __enter__(self):
        self.start_scheduler()
        return self

    def __exit__(self, *_error):
        for name in reversed(list(self.running)):
            self.end(name)

    def program(self, name):
        """The program as it is typed on a machine of this name."""
        (self.folder / name).mkdir(exist_ok=True)
        return Bertbuild(self.folder / name / "artifacts", root=self.root).having(
            BERTBUILD_SCHEDULER=self.address,
            BERTBUILD_REMOTE=self.place,
            BERTBUILD_REMOTE_WRITE="true",
            BERTBUILD_REMOTE_KEY=self.key,
            BERTBUILD_REMOTE_TRUST=self.trust,
        )

    def start_scheduler(self):
        """A scheduler, at the same address each time."""
        self._start("scheduler", "cluster", "scheduler")

    def start_worker(self, name, **variables):
        """A worker with two slots."""
        words = ("worker", "--name", name, "--backend", "data,tf1,openvino", "--jobs", "2", "--memory", "8g")
        self._start(name, *words, **variables)

    def _start(self, name, *words, **variables):
        program = self.program(name).having(**variables)
        process = self.running[name] = program.start(*words)
        for line in process.stdout:
            event = json.loads(line)
            assert event["event"] != "error", event
            if event["event"] == "result":
                return
        raise AssertionError(f"{name} did not start: {process.stderr.read()}")

    def pids(self, name):
        """Of a machine's processes: the program, and all below it."""
        process = self.running[name]
        return [process.pid, *descendants(process.pid)]

    def of_dask(self, name):
        """The process of a worker that runs stages: the nanny's child."""
        for pid in descendants(self.running[name].pid):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - /proc
                if b"spawn_main" in file.read():
                    return pid
        return None

    def kill(self, name):
        """Kill -9 a machine's program and all below it, as if its power were cut."""
        for pid in self.pids(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._forget(name)

    def end(self, name):
        """Tell it to end; gives its exit code."""
        process = self.running[name]
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill(name)
            return None
        self._forget(name)
        return process.returncode

    def _forget(self, name):
        process = self.running.pop(name)
        process.communicate(timeout=30)

    def orphans(self):
        """What is alive over the stores of machines that do not run any more."""
        gone = [
            path for path in self.folder.iterdir() if (path / "artifacts").is_dir() and path.name not in self.running
        ]
        return [left for path in gone for left in left_after(5.0, path / "artifacts")]

    def published_twice(self, events):
        """Keys of results that more than one worker says it has made in these events."""
        made = [event["key"] for event in events if event["event"] == "stage" and event["state"] == "done"]
        return sorted({key for key in made if made.count(key) > 1})
