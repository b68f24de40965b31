"""Cables that are cut while stages run on a cluster, and a registry that is killed: the end is right or one sentence.

Each program runs on a machine of its own, a network namespace; between them is mutual TLS, and a real registry.
"""

from __future__ import annotations

import json
import time

import pytest

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

from cluster_network import Machines
from host_doubles import wait_until
from networks import network
from registry_server import PROGRAM

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed (apt-get install docker-registry)"),
]

WORKERS = ("w1", "w2")


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    with network() as made, Machines(tmp_path_factory.mktemp("network"), made) as found:
        yield found


@pytest.fixture
def cluster(machines):
    """All of them, running; a test that ended otherwise leaves that to the next one."""
    for name, start in (("registry", machines.start_registry), ("scheduler", machines.start_scheduler)):
        if name not in machines.running:
            start()
    for name in WORKERS:
        if name not in machines.running or machines.running[name].poll() is not None:
            machines.kill(name)
            machines.start_worker(name)
    yield machines
    machines.kill("client")


@pytest.fixture
def words(cluster, request):
    """A build of a model that no other test builds, of which workers run stages now."""
    made = cluster.write_models([sum(map(ord, request.node.name))], "ir")
    cluster.start("client", *made)
    wait_until(cluster.stages, 60)
    return made


def built(cluster, events):
    """Each stage was done once, the target is right, and nobody is left."""
    assert [event["state"] for event in events if event["event"] == "target"] in (["built"], ["up to date"])
    done = [event["key"] for event in events if event["event"] == "stage" and event["state"] == "done"]
    assert len(done) == len(set(done))
    assert cluster.stages() == {}


def failed(events, *sentences):
    """Each failure is one of these sentences, which all ask for the same command or say what to look at."""
    told = [event for event in events if event["event"] == "failure"]
    assert told
    assert {next((one for one in sentences if one in event["message"]), event["message"]) for event in told} <= {
        *sentences
    }
    assert all(event["next_step"] for event in told)


def again(cluster, words):
    cluster.start("client", *words)
    code, events = cluster.ended("client", 120)
    assert code == 0, json.dumps([event for event in events if event["event"] in ("failure", "error", "warning")])
    built(cluster, events)


@pytest.mark.usefixtures("words")
def test_the_cable_of_a_worker_is_cut(cluster):
    """Its stage goes to another one; it ends itself, for a supervisor to start it again."""
    name = next(iter(cluster.stages()))
    cluster.network.cut(name)
    code, events = cluster.ended("client", 120)
    assert code == 0, [event for event in events if event["event"] in ("failure", "error", "warning")]
    assert cluster.ended(name, 60)[0] == 30
    built(cluster, events)
    cluster.network.mend(name)


def test_workers_that_cannot_reach_one_another(cluster):
    """A firewall lets each speak with the scheduler and the registry alone; stages need what the other one made."""
    pairs = (WORKERS, WORKERS[::-1])
    for pair in pairs:
        cluster.network.cut_between(*pair)
    cluster.start("client", *cluster.write_models(range(4100, 4104), "ir", "frozen"))
    code, events = cluster.ended("client", 120)
    for pair in pairs:
        cluster.network.mend_between(*pair)
    assert code == 0, [event for event in events if event["event"] in ("failure", "error", "warning")]
    assert [event["state"] for event in events if event["event"] == "target"] == ["built"] * 8
    assert {event["worker"] for event in events if "worker" in event} == {*WORKERS}


def test_the_cable_of_a_build_is_cut(cluster, words):
    """It ends, and what runs for it alone is ended; then it is typed again."""
    cluster.network.cut("client")
    code, events = cluster.ended("client", 120)
    assert code == 30
    failed(events, f"The scheduler {cluster.scheduler} is gone.")
    wait_until(lambda: not cluster.stages(), 60)
    cluster.network.mend("client")
    again(cluster, words)


def test_the_cable_of_the_scheduler_is_cut(cluster, words):
    cluster.network.cut("scheduler")
    code, events = cluster.ended("client", 120)
    assert code == 30
    failed(events, f"The scheduler {cluster.scheduler} is gone.")
    assert {cluster.ended(name, 60)[0] for name in WORKERS} == {30}
    assert cluster.stages() == {}
    cluster.network.mend("scheduler")
    for name in WORKERS:
        cluster.start_worker(name)
    again(cluster, words)


@pytest.mark.parametrize("which", ["of all", "of one worker"])
def test_nothing_comes_from_the_registry(cluster, words, which):
    """Its cable is cut, or one worker alone cannot reach it: that is what the stage fails with."""
    worker = next(iter(cluster.stages()))
    if which == "of all":
        cluster.network.cut("registry")
    else:
        cluster.network.cut_between(worker, "registry")
    code, events = cluster.ended("client", 180)
    assert code == 28
    failed(events, "The registry 10.213.47.2:5000 does not answer")
    if which == "of all":
        cluster.network.mend("registry")
    else:
        cluster.network.mend_between(worker, "registry")
    again(cluster, words)


@pytest.mark.parametrize("seconds", [0, 2, 12])
def test_the_registry_is_killed(cluster, words, seconds):
    """It comes back while workers would still ask, or later; a build that fails is typed again."""
    cluster.kill("registry")
    time.sleep(seconds)
    if seconds:
        cluster.start_registry()
    code, events = cluster.ended("client", 120)
    if code:
        failed(events, "The registry 10.213.47.2:5000 does not answer")
        assert code == 28
    else:
        built(cluster, events)
    if not seconds:
        assert code == 28
        cluster.start_registry()
    again(cluster, words)
