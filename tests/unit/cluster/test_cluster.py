from __future__ import annotations

import contextlib
import threading

import pytest

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

from host_doubles import Events, wait_until
from played_cluster import Machines, Played, PlayedPlace

from bertbuild import __version__
from bertbuild.cluster import client
from bertbuild.cluster.holdings import Holdings
from bertbuild.cluster.settings import Address
from bertbuild.engine.events import Asked
from bertbuild.errors import BertbuildError, ClusterError, StageError
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir

STAGES = ["freeze", "ir", "openvino-infer", "tf1-infer"]


@pytest.fixture(autouse=True)
def played(monkeypatch):
    monkeypatch.setattr("bertbuild.cluster.worker.place", lambda _name: PlayedPlace)
    for name in ("runs_of", "behave", "lock_of"):
        monkeypatch.setattr(Played, name, {})


@pytest.fixture
def plan(source, probes):
    return plan_ir(source, Ir(route="reshapeable"), probes)


@pytest.fixture
def machines(tmp_path):
    with Machines(tmp_path, w1=None, w2=None) as made:
        yield made


@pytest.fixture
def one(tmp_path):
    with Machines(tmp_path, w1=None) as made:
        yield made


class Builder:
    """A machine that builds."""

    def __init__(self, machines, name="builder", **engine):
        self.events = Events()
        self.engine, self.cluster = machines.builder(name, self.events, **engine)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.cluster.close()

    def build(self, plan, probes):
        return self.engine.build(plan, probes)

    def attempt(self, plan, probes):
        with contextlib.suppress(BertbuildError):
            self.build(plan, probes)

    def told(self, state):
        events = [event for event in self.events.of("stage") if event["stage"] != "parity"]
        return sorted((event["stage"], event["worker"]) for event in events if event["state"] == state)


def ran():
    return sorted(stage for runs in Played.runs_of.values() for stage in runs)


def test_a_build_on_two_workers_has_the_results_names_and_events_of_one_machine(machines, plan, probes):
    with Builder(machines) as builder:
        (built,) = builder.build(plan, probes)
        assert built.verdict.passed
        assert built.path.resolve().parent.name == "ir"
        assert ran() == STAGES
        assert machines.published() == ["freeze", "given", "given", "ir", "openvino-infer", "parity", "tf1-infer"]
        workers = {worker for _, worker in builder.told("done")}
        assert workers <= {"w1", "w2"}
        assert [stage for stage, _ in builder.told("done")] == STAGES
        assert builder.told("started") == builder.told("done")
        assert [event["text"] for event in builder.events.of("step")].count("doing ir") == 1
        assert [event["state"] for event in builder.events.of("target")] == ["built"]
        logs = builder.engine._maker.store.logs
        said = {path.read_text() for path in logs.glob("*.log")}
        assert said == {f"on the worker {worker}\nlog of {stage}\n" for stage, worker in builder.told("done")}
        builder.events.clear()
        builder.build(plan, probes)
        assert ran() == STAGES
        assert [event["state"] for event in builder.events.of("target")] == ["up to date"]


def test_two_builds_that_want_the_same_at_once_run_each_stage_once(machines, plan, probes):
    begun = threading.Event()
    Played.behave["freeze"] = lambda run, of: (begun.wait(10), of.behaviour.clear(), of.runs.pop(), of.run(run, print))
    with Builder(machines, "a") as first, Builder(machines, "b") as second:
        threads = [threading.Thread(target=one.build, args=(plan, probes)) for one in (first, second)]
        for thread in threads:
            thread.start()
        wait_until(lambda: "freeze" in ran())
        begun.set()
        for thread in threads:
            thread.join()
        for builder in (first, second):
            assert [event["state"] for event in builder.events.of("target")] == ["built"]
    assert ran() == STAGES


def test_a_stage_that_fails_by_itself_is_run_once_and_told_with_the_workers_name(one, plan, probes):
    def fails(_run, _of):
        raise StageError("The stage ir failed with exit code 1.", next_step="Its whole log: x", details="the words")

    Played.behave["ir"] = fails
    with Builder(one) as builder, pytest.raises(StageError, match=r"exit code 1\. \(On the worker w1\.\)") as raised:
        builder.build(plan, probes)
    assert raised.value.details == "the words"
    assert raised.value.exit_code == StageError.exit_code
    assert ran().count("ir") == 1
    del Played.behave["ir"]
    with Builder(one) as builder:
        (built,) = builder.build(plan, probes)  # an old error is not given again
    assert built.verdict.passed


@pytest.mark.parametrize("gracefully", [True, False])
def test_a_worker_that_is_lost_gives_its_stage_to_another_one(one, plan, probes, gracefully):
    began = threading.Event()

    def hangs(_run, of):
        began.set()
        of.ended.wait(20)
        raise StageError("ended")

    Played.behave["freeze"] = hangs
    with Builder(one) as builder:
        thread = threading.Thread(target=builder.build, args=(plan, probes))
        thread.start()
        assert began.wait(60)
        del Played.behave["freeze"]
        one.join("w2")
        one.lose("w1", gracefully=gracefully)
        thread.join(30)
        assert [event["state"] for event in builder.events.of("target")] == ["built"]
        assert builder.told("done")[0] == ("freeze", "w2")


def test_ctrl_c_ends_what_runs_on_workers(one, plan, probes):
    began, ended = threading.Event(), threading.Event()

    def hangs(_run, of):
        began.set()
        of.ended.wait(20)
        ended.set()
        raise StageError("ended")

    Played.behave["freeze"] = hangs
    with Builder(one) as builder:
        thread = threading.Thread(target=builder.attempt, args=(plan, probes))
        thread.start()
        assert began.wait(60)
        builder.engine._maker.end()
        thread.join(20)
        assert ended.wait(60)
        assert ("freeze", "interrupted") in [(event["stage"], event["state"]) for event in builder.events.of("stage")]


def test_a_scheduler_that_goes_away_is_one_sentence(one, plan, probes, monkeypatch):
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.5)
    began = threading.Event()
    Played.behave["freeze"] = lambda _run, of: (began.set(), of.ended.wait(20))
    with Builder(one) as builder:
        failures = []

        def build():
            failures.extend(
                builder.engine.execute(
                    builder.engine.jobs().of_targets(plan, probes)[0], Asked(models=["toy"]), keep_going=False
                )
            )

        thread = threading.Thread(target=build)
        thread.start()
        assert began.wait(60)
        one.do(one.scheduler.close())
        thread.join(30)
        assert {str(error) for error in failures} == {f"The scheduler {one.address} is gone."}
        assert failures[0].exit_code == 30


def test_a_scheduler_that_is_not_there_is_asked_once(one, plan, probes, monkeypatch):
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.2)
    with Builder(one) as builder:
        builder.cluster._address = Address(scheme="tcp", host="127.0.0.1", port=9)
        for _ in range(2):
            with pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:9 does not answer"):
                builder.build(plan, probes)


def test_a_backend_that_no_worker_has_is_named_with_what_workers_have(tmp_path, plan, probes):
    with (
        Machines(tmp_path, w1=["data"], w2=["tf1"]) as machines,
        Builder(machines) as builder,
        pytest.raises(ClusterError, match=r"No worker has openvino, which ir needs\. w1 has data; w2 has tf1\."),
    ):
        builder.build(plan, probes)


def test_an_environment_of_another_lock_file_is_no_environment_of_this_build(tmp_path, plan, probes):
    Played.lock_of[tmp_path / "w1"] = "another"
    with (
        Machines(tmp_path, w1=None) as machines,
        Builder(machines) as builder,
        pytest.raises(ClusterError, match=r"No worker has the (data|tf1) of this machine: that of w1 is another one\."),
    ):
        builder.build(plan, probes)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("__version__", "9.9", f"The order is of bertbuild {__version__}, the worker's is 9.9."),
        ("STAGES", {}, "The code of the stage (freeze|tf1-infer) is another one on the worker."),
    ],
)
def test_an_order_of_another_version_or_code_is_refused(one, plan, probes, monkeypatch, name, value, told):
    monkeypatch.setattr(f"bertbuild.cluster.work.{name}", value)
    with Builder(one) as builder, pytest.raises(ClusterError, match=told):
        builder.build(plan, probes)
    assert ran() == []


def test_a_cluster_without_workers_is_told(tmp_path, plan, probes, monkeypatch):
    monkeypatch.setattr(client, "WAIT_SECONDS", 0.3)
    with Machines(tmp_path) as machines, Builder(machines) as builder:
        with pytest.raises(ClusterError, match="has no worker"):
            builder.build(plan, probes)
        assert any("waits for a worker with" in text for text in builder.events.texts("note"))


def test_a_stage_goes_to_the_worker_whose_store_has_it_or_its_inputs(tmp_path, plan, probes, monkeypatch):
    """From an earlier run: the remote store has lost all since, and another worker is as idle, which takes nothing."""
    dask = pytest.importorskip("dask")
    monkeypatch.setattr("bertbuild.cluster.holdings.ANSWER_SECONDS", 30)
    with dask.config.set({"distributed.scheduler.work-stealing": False}), Machines(tmp_path, w1=None) as one:
        with Builder(one) as builder:
            builder.build(plan, probes)
        one.forget_published()
        one.join("w2")
        with Builder(one, "second") as builder:
            (built,) = builder.build(plan, probes)
            assert built.verdict.passed
            assert {event["worker"] for event in builder.events.of("stage") if "worker" in event} == {"w1"}
        assert ran() == STAGES  # what was made is put there again, and not made
        assert "ir" in one.published()


def test_an_order_waits_too_for_what_another_order_asked(monkeypatch):
    monkeypatch.setattr("bertbuild.cluster.holdings.ANSWER_SECONDS", 30)
    asked, tells = threading.Event(), threading.Event()

    class Telling:
        def run(self, _function, workers, **_more):
            asked.set()
            tells.wait(30)
            return {address: ["ir-1"] for address in workers}

    holdings, ready = Holdings(), []
    first = threading.Thread(target=holdings.ask, args=(Telling(), ["w1"]))
    first.start()
    asked.wait(30)
    second = threading.Thread(target=lambda: ready.append(holdings.ask(Telling(), ["w1"])))
    second.start()
    second.join(0.2)
    assert ready == []
    tells.set()
    first.join(30)
    second.join(30)
    assert ready == [None]


def test_a_worker_that_does_not_tell_what_it_has_delays_nothing(one, plan, probes, monkeypatch):
    monkeypatch.setattr("bertbuild.cluster.holdings.ANSWER_SECONDS", 0.1)
    asked, goes_on = threading.Event(), threading.Event()

    def frozen(_self):
        asked.set()
        goes_on.wait(20)
        return []

    monkeypatch.setattr("bertbuild.cluster.worker.Ours.held", frozen)
    with Builder(one) as builder:
        threading.Timer(0.5, goes_on.set).start()  # the played worker shares its thread with the scheduler
        (built,) = builder.build(plan, probes)
    assert asked.is_set()
    assert built.verdict.passed


def test_no_worker_asks_another_one_for_anything(tmp_path, plan, probes, monkeypatch):
    """They may be unable to reach one another, for which Dask would wait for ever."""
    worker_of_dask = pytest.importorskip("distributed.worker")
    asked, gives = [], worker_of_dask.get_data_from_worker

    async def given(*args, who=None, **told):
        if who is not None:  # not the scheduler, which brings an answer to the build
            asked.append(who)
        return await gives(*args, who=who, **told)

    monkeypatch.setattr(worker_of_dask, "get_data_from_worker", given)
    with Machines(tmp_path, w1=["data", "tf1"], w2=["openvino"]) as machines, Builder(machines) as builder:
        (built,) = builder.build(plan, probes)
        assert built.verdict.passed
        assert {worker for _, worker in builder.told("done")} == {"w1", "w2"}
    assert asked == []
