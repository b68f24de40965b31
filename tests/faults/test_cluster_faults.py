"""Workers, schedulers and builds of a cluster killed and frozen while played stages run; all are real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from host_doubles import wait_until
from program import ROOT
from remote_doubles import keys_in
from slow_toy import MARK
from tiny_models import weights, write_google

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

pytestmark = pytest.mark.whole

PROGRAM = ROOT / "tests" / "shared" / "slow_toy_program.py"


def running():
    """The processes of stages: their ids, and those of the workers that started them."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if MARK.encode() in (path / "cmdline").read_bytes().split(b"\0"):
                found[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
    return found


@pytest.fixture
def start(tmp_path):
    """A function that starts the program of a machine; all are ended with the test."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (tmp_path / "remote").mkdir()
    key, public = keys_in(tmp_path / "keys")
    write_google(tmp_path / "toy", weights(seed=7))
    (tmp_path / "bertbuild.toml").write_text('[targets.ir]\nkind = "ir"\n[models.toy]\ncheckpoint = "toy"\n')
    started = []

    def make(machine, *words):
        environ = {
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(PROGRAM.parent), *sys.path]),
            "SLOW_TOY_SECONDS": "3",
            "BERTBUILD_ISOLATION": "toy",
            "BERTBUILD_ARTIFACTS": str(tmp_path / machine),
            "BERTBUILD_REMOTE": f"file://{tmp_path}/remote",
            "BERTBUILD_REMOTE_WRITE": "1",
            "BERTBUILD_REMOTE_KEY": str(key),
            "BERTBUILD_REMOTE_TRUST": public,
            "BERTBUILD_SCHEDULER": f"tcp://127.0.0.1:{port}",
        }
        command = [sys.executable, str(PROGRAM), *words, "--json"]
        process = subprocess.Popen(
            command, env=environ, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        started.append(process)
        return process

    yield make
    for process in started:
        process.kill()
        process.communicate()


def ready(process):
    for line in process.stdout:
        if json.loads(line)["event"] == "result":
            return
    raise AssertionError(process.communicate()[1])


def ended(process, code):
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_worker_that_is_killed_or_frozen_gives_its_stage_to_another(start, number):
    cluster = start("workers", "cluster", "local", "--workers", "2", "--backend", "data,tf1,openvino")
    ready(cluster)
    build = start("builder", "build")
    stage, worker = next(iter(wait_until(running, 120).items()))
    os.kill(worker, number)
    events = ended(build, 0)
    assert [event["state"] for event in events if event["event"] == "target"] == ["built"]
    assert stage not in running()
    cluster.send_signal(signal.SIGTERM)
    ended(cluster, 130)
    assert not running()


def test_a_build_and_a_scheduler_are_killed_and_started_again(start):
    scheduler = start("scheduler", "cluster", "scheduler")
    ready(scheduler)
    worker = start("worker", "worker", "--name", "one")
    ready(worker)
    (error,) = [event for event in ended(start("other", "worker", "--name", "one"), 30) if event["event"] == "error"]
    assert "has a worker of the name one" in error["message"]
    build = start("builder", "build")
    wait_until(running, 120)
    build.kill()
    wait_until(lambda: not running(), 20)  # nobody waits for it
    build = start("builder", "build")
    wait_until(running, 120)
    scheduler.kill()
    failures = [event for event in ended(build, 30) if event["event"] == "failure"]
    assert {event["message"].partition(" tcp")[0] for event in failures} == {"The scheduler"}
    ended(worker, 30)
    assert not running()
    ready(start("scheduler", "cluster", "scheduler"))
    ready(start("worker", "worker", "--name", "one"))
    events = ended(start("builder", "build"), 0)
    assert [event["state"] for event in events if event["event"] == "target"] == ["built"]
