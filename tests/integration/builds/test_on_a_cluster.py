"""A build whose stages are run by two workers of this machine, in processes of their own under Dask's nannies."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest
from host_doubles import wait_until
from processes import left_after
from program import Bertbuild
from remote_doubles import keys_in
from tiny_models import weights, write_google

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

pytestmark = [pytest.mark.integration, pytest.mark.whole]

BUILD_FILE = """
[targets.ir]
kind = "ir"
[models.clustered]
checkpoint = "clustered"
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def children_of(pid):
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in children for child in file.read_text().split()]


def runs_a_stage(pid):
    """Whether a process has a stage now, started by itself or forked."""
    for child in children_of(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"stages." in words or (b"fork_server.py" in words and children_of(child)):
            return True
    return False


def worker_that_runs_a_stage(cluster):
    """The id of the process of a worker that has a stage now."""
    for path in Path(f"/proc/{cluster.pid}/task").glob("*/children"):
        for worker in map(int, path.read_text().split()):
            if runs_a_stage(worker):
                return worker
    return None


@pytest.fixture
def machines(tmp_path, bertbuild):
    """The program of a machine that builds, and that of one with workers, over a remote store in a folder."""
    assert bertbuild.artifacts.is_dir()
    (tmp_path / "remote").mkdir()
    key, public = keys_in(tmp_path / "keys")
    variables = {
        "BERTBUILD_REMOTE": f"file://{tmp_path}/remote",
        "BERTBUILD_REMOTE_WRITE": 1,
        "BERTBUILD_REMOTE_KEY": key,
        "BERTBUILD_REMOTE_TRUST": public,
        "BERTBUILD_SCHEDULER": f"tcp://127.0.0.1:{free_port()}",
    }
    write_google(tmp_path / "clustered", weights(seed=41))
    (tmp_path / "bertbuild.toml").write_text(BUILD_FILE)
    return tuple(Bertbuild(tmp_path / name).having(**variables) for name in ("builder", "workers"))


def test_a_build_on_two_workers_one_of_which_is_killed(machines):
    builder, workers = machines
    cluster = workers.start("cluster", "local", "--workers", "2", "--backend", "data,tf1,openvino")
    try:
        ready = next(event for line in cluster.stdout if (event := json.loads(line))["event"] == "result")
        assert [worker["name"] for worker in ready["workers"]] == ["w1", "w2"]
        building = builder.start("build")
        killed = wait_until(lambda: worker_that_runs_a_stage(cluster), 60)
        os.kill(killed, signal.SIGKILL)
        built = builder.finish(building)
        assert built.code == 0, built.stderr
        assert [event["state"] for event in built.of("target")] == ["built"]
        done = {event["id"]: event.get("worker") for event in built.of("stage") if event["state"] == "done"}
        assert {worker for name, worker in done.items() if not re.match("inspect|parity", name)} <= {"w1", "w2"}
        assert builder.ok("build").ids("done") == []
        builder.ok("verify")
        assert builder.ok("log", "clustered").last["logs"][0]["lines"]
    finally:
        cluster.send_signal(signal.SIGTERM)
        cluster.communicate(timeout=60)
    assert cluster.returncode == 130
    assert left_after(10, workers.artifacts) == []
    third = builder.having(BERTBUILD_ARTIFACTS=builder.artifacts.parent / "third")
    assert third.ok("build").ids("done") == ["inspect"]  # all else is in the remote store, and no scheduler is asked
    shutil.rmtree(builder.artifacts.parent / "clustered")
    write_google(builder.artifacts.parent / "clustered", weights(seed=42))
    fourth = builder.having(BERTBUILD_ARTIFACTS=builder.artifacts.parent / "fourth")
    assert fourth.refused("build", code=30)["message"] == "1 of 1 target is not built."
