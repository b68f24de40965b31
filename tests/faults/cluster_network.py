"""A registry, a scheduler, workers and builds on machines of their own, with stages that last and do nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from killing import descendants
from program import ROOT
from registry_server import PROGRAM
from remote_doubles import keys_in
from slow_toy import MARK
from tiny_models import weights, write_google

from bertbuild.cluster.certificates import make_certificates

TOYS = ROOT / "tests" / "shared" / "slow_toy_program.py"
BACKENDS = "data,tf1,openvino"
REGISTRY_PORT = 5000


class Machines:
    """Starts programs on machines of a network; as a context it ends them all, by their ids."""

    def __init__(self, folder, network, seconds=3):
        self.folder, self.network = folder, network
        self.key, self.trust = keys_in(folder / "keys")
        make_certificates(folder / "certificates", 30)
        self.scheduler = f"tls://{network.address('scheduler')}:8786"
        self.place = f"oci+http://{network.address('registry')}:{REGISTRY_PORT}/faults/cluster"
        self._seconds = seconds
        self.running = {}

    def __enter__(self):
        self.start_registry()
        self.start_scheduler()
        return self

    def __exit__(self, *_error):
        for name in list(self.running):
            self.kill(name)

    def kill(self, machine):
        """Kill -9 a machine's program and all below it; nothing where none runs."""
        process = self.running.pop(machine, None)
        if process is not None:
            for pid in [process.pid, *descendants(process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.communicate()

    def start_registry(self):
        """The registry, over the same files each time."""
        folder = self.folder / "registry"
        folder.mkdir(exist_ok=True)
        address = f"{self.network.address('registry')}:{REGISTRY_PORT}"
        (folder / "config.yml").write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder / 'blobs'}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{address}'}}\n"
        )
        with (folder / "log").open("w") as log:
            words = [*self.network.within("registry"), PROGRAM, "serve", str(folder / "config.yml")]
            process = self.running["registry"] = subprocess.Popen(words, stdout=log, stderr=log)
        table = Path(f"/proc/{process.pid}/net/tcp")
        until = time.monotonic() + 10
        while f":{REGISTRY_PORT:04X} 00000000:0000 0A" not in table.read_text():  # a socket that listens
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)

    def start_scheduler(self):
        """The scheduler, at the same address each time."""
        self.ready("scheduler", self.start("scheduler", "cluster", "scheduler"))

    def start_worker(self, name):
        """A worker of two slots; as a supervisor does, again while the scheduler still knows the one that was lost."""
        words = ("worker", "--name", name, "--backend", BACKENDS, "--jobs", "2", "--memory", "8g")
        until = time.monotonic() + 60
        while (error := self.error_of(name, self.start(name, *words))) is not None:
            assert f"has a worker of the name {name}." in error["message"], error
            assert time.monotonic() < until, error
            self.ended(name, 10)
            time.sleep(1)

    def start(self, machine, *words):
        """The program on a machine, with a store of its own."""
        environ = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(TOYS.parent), *sys.path]),
            "SLOW_TOY_SECONDS": str(self._seconds),
            "BERTBUILD_ISOLATION": "toy",
            "BERTBUILD_ARTIFACTS": str(self.folder / machine),
            "BERTBUILD_CERTIFICATES": str(self.folder / "certificates"),
            "BERTBUILD_REMOTE": self.place,
            "BERTBUILD_REMOTE_WRITE": "1",
            "BERTBUILD_REMOTE_KEY": str(self.key),
            "BERTBUILD_REMOTE_TRUST": self.trust,
            "BERTBUILD_SCHEDULER": self.scheduler,
        }
        process = subprocess.Popen(
            [*self.network.within(machine), sys.executable, str(TOYS), *words, "--json"],
            env=environ,
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.running[machine] = process
        return process

    def ready(self, machine, process):
        """Wait until a program that stays says that it is ready."""
        error = self.error_of(machine, process)
        assert error is None, (machine, error)

    def error_of(self, machine, process):
        """Wait until a program that stays says that it is ready: None, or the error that it ends with."""
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] in ("error", "result"):
                return event if event["event"] == "error" else None
        raise AssertionError((machine, process.communicate()[1]))

    def ended(self, machine, timeout):
        """Wait for a program's end; its exit code and its events since the last that was read."""
        process = self.running.pop(machine)
        stdout, stderr = process.communicate(timeout=timeout)
        assert "Traceback" not in stderr, stderr
        return process.returncode, [json.loads(line) for line in stdout.splitlines()]

    def stages(self):
        """Of each worker that runs stages now, their process ids."""
        found = {}
        for machine, process in self.running.items():
            for pid in descendants(process.pid):
                with contextlib.suppress(OSError):
                    if MARK.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                        found.setdefault(machine, []).append(pid)
        return found

    def write_models(self, seeds, *kinds):
        """A build file of new models, with a target of each of these kinds."""
        text = "".join(f'[targets.{kind}]\nkind = "{kind}"\n' for kind in kinds)
        for seed in seeds:
            write_google(self.folder / f"toy{seed}", weights(seed=seed))
            text += f'[models.toy{seed}]\ncheckpoint = "toy{seed}"\n'
        path = self.folder / f"toy{seeds[0]}.toml"
        path.write_text(text)
        return "build", "--file", path.name
