"""A machine without power, a full disk, a remote store that is gone, wrong clocks: builds on a cluster end right."""

from __future__ import annotations

import json
import os
import shutil

import pytest

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

from cluster_processes import Processes
from killing import events_of
from program import Bertbuild, events_until
from tiny_models import weights, write_google


@pytest.fixture(scope="module")
def machines(light_root, tmp_path_factory):
    with Processes(tmp_path_factory.mktemp("cluster"), light_root) as made:
        yield made


@pytest.fixture
def cluster(machines):
    """A scheduler and two workers, all running."""
    if "scheduler" not in machines.running:
        for name in list(machines.running):
            machines.end(name)
        machines.start_scheduler()
    for name in ("w1", "w2"):
        if name in machines.running and machines.running[name].poll() is not None:
            machines.end(name)
        if name not in machines.running:
            machines.start_worker(name)
    return machines


@pytest.fixture
def words(tmp_path, request):
    """A build of two models that no other test builds, with a target each."""
    seed = sum(map(ord, request.node.name))
    models = {name: write_google(tmp_path / name, weights(seed=seed + number)) for number, name in enumerate("ab")}
    tables = [f"[models.{name}]\ncheckpoint = {json.dumps(str(path))}\n" for name, path in models.items()]
    (tmp_path / "bertbuild.toml").write_text('[targets.ir]\nkind = "ir"\n' + "".join(tables))
    return "build", "--file", tmp_path / "bertbuild.toml"


def begun(cluster, client, words):
    """A build of which a worker runs a stage now, its events so far, and the worker's name."""
    process = cluster.program(client).start(*words)
    events = events_until(process, lambda event: event.get("state") == "started" and "worker" in event)
    assert events, process.stderr.read()
    return process, events, events[-1]["worker"]


def ended(process, events):
    """The exit code and all events of a build."""
    stdout, stderr = process.communicate(timeout=150)
    assert "Traceback" not in stderr, stderr
    return process.returncode, [*events, *events_of(stdout)]


def assert_right(cluster, events, words, tmp_path, light_root):
    """The end is that of one machine; no result was made by two workers, nobody is left."""
    (tmp_path / "alone").mkdir()
    alone = Bertbuild(tmp_path / "alone" / "artifacts", root=light_root).ok(*words)
    keys = [[target["key"] for target in told["targets"]] for told in (events[-1], alone.last)]
    assert keys[0] == keys[1]
    assert cluster.published_twice(events) == []
    assert cluster.orphans() == []


def test_a_machine_that_loses_its_power(cluster, words, tmp_path, light_root):
    """Nanny, worker and stage are killed at once; another worker makes it."""
    process, events, worker = begun(cluster, "power", words)
    cluster.kill(worker)
    code, events = ended(process, events)
    assert code == 0, events[-1]
    assert_right(cluster, events, words, tmp_path, light_root)


@pytest.mark.whole
def test_a_remote_store_that_is_gone(cluster, words, tmp_path, light_root):
    process, events, _ = begun(cluster, "remote-gone", words)
    place = cluster.folder / "remote"
    place.rename(cluster.folder / "elsewhere")
    code, events = ended(process, events)
    shutil.rmtree(place, ignore_errors=True)
    (cluster.folder / "elsewhere").rename(place)
    assert code != 0
    again = cluster.program("remote-gone").ok(*words)
    assert_right(cluster, again.events, words, tmp_path, light_root)


@pytest.mark.whole
def test_clocks_that_differ_by_an_hour(cluster, words, tmp_path, light_root):
    """A worker's clock is an hour behind; what it signs and puts there is used."""
    hooks = os.path.dirname(__file__) + "/hooks"  # noqa: PTH120 - a variable's text
    for name in ("w1", "w2"):
        cluster.end(name)
    cluster.start_worker("w3", PYTHONPATH=f"{hooks}:{light_root}", FAULTS_CLOCK="-3600")
    outcome = cluster.program("clock").ok(*words)
    cluster.end("w3")
    assert {event["worker"] for event in outcome.of("stage") if "worker" in event} == {"w3"}
    assert_right(cluster, outcome.events, words, tmp_path, light_root)


@pytest.mark.whole
def test_a_worker_whose_disk_is_full(cluster, words, small_disk, tmp_path, light_root):
    """The build ends in a sentence about the disk, or another worker makes it; a rerun elsewhere is right."""
    for name in ("w1", "w2"):
        cluster.end(name)
    place = small_disk("size=1m")
    cluster.start_worker("w4", BERTBUILD_ARTIFACTS=str(place / "artifacts"))
    outcome = cluster.program("disk")(*words)
    cluster.end("w4")
    assert outcome.code != 0
    assert "space" in json.dumps([event for event in outcome.events if event["event"] in ("failure", "error")])
    cluster.start_worker("w1")
    again = cluster.program("disk").ok(*words)
    assert_right(cluster, again.events, words, tmp_path, light_root)
