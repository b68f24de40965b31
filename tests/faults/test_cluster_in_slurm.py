"""examples/cluster/slurm-workers.sh given to Slurm: workers as its jobs, a build that they run, and their end."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

from cluster_processes import Processes
from killing import events_of
from processes import left_after
from program import ROOT, environment, events_until
from slurm_node import WHY_NOT, Slurm
from tiny_models import weights, write_google

pytestmark = [pytest.mark.whole, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]

SCRIPT = ROOT / "examples" / "cluster" / "slurm-workers.sh"
SMALL = ("--array=1-2", "--cpus-per-task=1", "--mem=2G")
"""In the place of fifty large ones."""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with Slurm(tmp_path_factory.mktemp("slurm")) as made:
        yield made


@pytest.fixture
def machines(light_root, tmp_path):
    with Processes(tmp_path / "cluster", light_root) as made:
        yield made


@pytest.fixture
def script(machines, tmp_path):
    """The script with this cluster's addresses and keys in the place of its examples, as who copies it writes them."""
    own = {
        "SCHEDULER": machines.address,
        "REMOTE": machines.place,
        "REMOTE_TRUST": machines.trust,
        "REMOTE_KEY": machines.key,
    }
    text = SCRIPT.read_text()
    for name, value in own.items():
        text, count = re.subn(rf"(?m)^(export BERTBUILD_{name})=.*$", rf"\1={value}", text)
        assert count == 1
    path = tmp_path / "slurm-workers.sh"
    path.write_text(text)
    return path


def submitted(slurm, script, root, *more):
    """The number of the job, which has begun; files that it writes lie beside the script."""
    variables = environment("unused", root) | {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "TMPDIR": str(script.parent),
    }
    words = ("sbatch", "--parsable", f"--chdir={script.parent}", *SMALL, *more, script)
    return slurm(*words, **variables).strip()


def said(script, what, count, seconds=60.0):
    """Wait until so many jobs have said something."""
    until = time.monotonic() + seconds
    while True:
        logs = {path.name: path.read_text() for path in script.parent.glob("bertbuild-worker-*.log")}
        if sum(what in text for text in logs.values()) >= count:
            return
        assert time.monotonic() < until, logs
        time.sleep(0.2)


def gone(slurm, seconds=60.0):
    """Wait until no job is left; gives how long it took."""
    began = time.monotonic()
    while slurm.jobs():
        assert time.monotonic() < began + seconds, slurm.jobs()
        time.sleep(0.1)
    return time.monotonic() - began


def exit_codes(slurm, job):
    """Of each job of an array, `code:signal`."""
    return re.findall(r"ExitCode=(\S+)", slurm("scontrol", "show", "job", job))


@pytest.fixture
def job(slurm, script, machines):
    """Two workers that have joined the scheduler."""
    number = submitted(slurm, script, machines.root)
    said(script, f"scheduler: {machines.address}", 2)
    yield number
    slurm("scancel", number)
    gone(slurm)


@pytest.fixture
def words(tmp_path, request):
    """A build of one new model."""
    checkpoint = write_google(tmp_path / "model", weights(seed=sum(map(ord, request.node.name))))
    table = f"[models.m]\ncheckpoint = {json.dumps(str(checkpoint))}\n"
    (tmp_path / "bertbuild.toml").write_text(f'[targets.ir]\nkind = "ir"\n{table}')
    return "build", "--file", tmp_path / "bertbuild.toml"


def test_jobs_of_slurm_run_a_build_and_leave_nothing_when_they_are_cancelled(slurm, job, machines, words, tmp_path):
    outcome = machines.program("client").ok(*words)
    workers = {event["worker"] for event in outcome.of("stage") if "worker" in event}
    assert workers
    assert all(re.fullmatch(r".+-[12]", name) for name in workers)
    slurm("scancel", "--name", "bertbuild-worker")
    assert gone(slurm) < 25  # Slurm kills after 30 s
    assert exit_codes(slurm, job) == ["130:0", "130:0"]
    assert list(tmp_path.glob("bertbuild-[0-9]*")) == []


def test_a_job_that_is_cancelled_at_work_gives_its_stage_to_another(slurm, job, machines, words, tmp_path):
    process = machines.program("client").start(*words)
    events = events_until(process, lambda event: event.get("state") == "started" and "worker" in event)
    slurm("scancel", f"{job}_{events[-1]['worker'].rpartition('-')[2]}")
    stdout, stderr = process.communicate(timeout=150)
    events += events_of(stdout)
    assert process.returncode == 0, (events[-1], stderr)
    assert machines.published_twice(events) == []
    assert [one for one in slurm.jobs() if one.endswith("RUNNING")]  # the other one
    stores = list(tmp_path.glob("bertbuild-[0-9]*"))
    assert stores
    slurm("scancel", job)
    gone(slurm)
    assert [left for path in stores for left in left_after(5.0, path)] == []


def test_a_scheduler_that_is_gone_ends_the_jobs_with_the_code_for_it(slurm, job, machines):
    machines.kill("scheduler")
    gone(slurm)
    assert exit_codes(slurm, job) == ["30:0", "30:0"]
