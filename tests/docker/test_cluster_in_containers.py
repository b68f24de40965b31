"""A worker of a cluster whose stages run in containers, and which is killed."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
from conftest import containers

from bertbuild.project import ROOT

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

sys.path += [str(ROOT / "tests" / name) for name in ("shared", "integration", "faults")]
from cluster_processes import Processes
from host_doubles import wait_until
from killing import events_of
from tiny_models import weights, write_google

pytestmark = [pytest.mark.docker, pytest.mark.whole]


class InContainers(Processes):
    """All programs run stages in containers."""

    def program(self, name):
        bases = {name: value for name, value in os.environ.items() if name.startswith("BERTBUILD_BASE_")}
        return super().program(name).having(BERTBUILD_ISOLATION="docker", **bases)


@pytest.fixture
def cluster(request, tmp_path):
    request.getfixturevalue("isolation")
    before = containers()
    with InContainers(tmp_path / "cluster", ROOT) as made:
        made.start_worker("w1")
        yield made
    assert containers() == before


def build_file(folder, seed):
    write_google(folder / f"contained{seed}", weights(seed=seed))
    path = folder / f"{seed}.toml"
    path.write_text(f'[targets.ir]\nkind = "ir"\n[models.m{seed}]\ncheckpoint = "contained{seed}"\n')
    return "build", "--file", path


def begun(cluster, words, client):
    """A build, and the containers of its first stages, which run."""
    before, process = containers(), cluster.program(client).start(*words)
    return process, wait_until(lambda: {name for name in containers() - before if is_running(name)}, 120)


def is_running(name):
    command = ["docker", "inspect", "--format", "{{.State.Running}}", name]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "true"


def ended_well(process):
    stdout, stderr = process.communicate(timeout=300)
    events = events_of(stdout)
    assert process.returncode == 0, (events[-1], stderr)
    assert [event["state"] for event in events if event["event"] == "target"] == ["built"]
    return events


def test_a_worker_that_is_killed_leaves_no_container(cluster, tmp_path):
    process, _ = begun(cluster, build_file(tmp_path, 61), "client")
    os.kill(cluster.of_dask("w1"), signal.SIGKILL)  # its nanny starts it again
    events = ended_well(process)
    assert {event["worker"] for event in events if event.get("state") == "done" and "worker" in event} == {"w1"}
    assert cluster.published_twice(events) == []


def test_a_machine_whose_programs_are_killed_has_no_container_once_its_worker_is_started(cluster, tmp_path):
    words = build_file(tmp_path, 62)
    process, left = begun(cluster, words, "client")
    process.kill()  # nobody wants these stages any more, so nobody runs them again
    process.communicate()
    for pid in cluster.pids("w1"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cluster._forget("w1")
    assert left & containers()
    cluster.start_worker("w1")
    assert not left & containers()
    ended_well(cluster.program("client").start(*words))
