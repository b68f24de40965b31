"""Targets that run on a Neuron device, where there is none and where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from host_doubles import FakeIsolation, names

from bertbuild.commands import status as status_command
from bertbuild.commands import verify as results
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.engine import executor as making_module
from bertbuild.engine.engine import Engine
from bertbuild.engine.gate import NO_DEVICE
from bertbuild.errors import NotVerifiedError, ParityError
from bertbuild.isolation.device import VARIABLE, neuron_device
from bertbuild.kinds.neuron import Neuron, plan_neuron_compile
from bertbuild.store.records import read_records

READY, COMPILED = "neuron-ready-float16", "neuron-float16-b4"
ON_CPU = ["neuron-ready", "tf1-infer", "tf1-infer", "neuron-compile"]


class NeuronIsolation(FakeIsolation):
    """Its stages write what a SavedModel consists of; on the device, answers are `offset` off."""

    def run(self, run, on_event):
        self.devices = [*getattr(self, "devices", []), (run.stage, run.device)]
        super().run(run, on_event)

    def answer(self, run, path):
        super().answer(run, path)
        if run.backend == "neuron":
            with np.load(path) as file:
                moved = {name: file[name] + np.float32(self.offset) for name in file.files}
            np.savez(path, **moved)


@pytest.fixture
def isolation(monkeypatch):
    # No lock file holds AWS's packages; what this machine has of them is another test's matter.
    monkeypatch.setattr(making_module, "require_locked", lambda _backend: None)
    return NeuronIsolation()


@pytest.fixture(autouse=True)
def no_device(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "no-device"))


@pytest.fixture
def device(tmp_path):
    """A function that plugs one in."""

    def plug_in():
        (tmp_path / "no-device").touch()

    return plug_in


@pytest.fixture
def plan(source, probes):
    return plan_neuron_compile(source, Neuron(), probes)


@pytest.fixture
def build(store, isolation, events, probes, plan):
    """Build again; gives what was built and the stages that ran."""

    def again():
        isolation.runs.clear()
        events.clear()
        return Engine(store, isolation, events).build(plan, probes), isolation.runs.copy()

    return again


@pytest.fixture
def session(root, store, isolation, events, monkeypatch):
    """A session over the same store, whose stages are played."""
    monkeypatch.setattr(Session, "isolation", isolation)
    monkeypatch.setattr(Session, "store", store)
    return Session(settings=load_settings({"artifacts": str(root)}), report=events)


def status(session, events):
    status_command.status(session, "")
    return {target["target"]: target for target in events.of("result")[-1]["targets"]}


def test_without_a_device_it_is_compiled_and_named_but_nothing_is_proved(build, store, events):
    built, ran = build()
    assert ran == ON_CPU
    assert [(one.target, one.verdict is None) for one in built] == [(READY, False), (COMPILED, True)]
    assert names(store) == [COMPILED, READY]
    assert built[1].path.resolve() == built[1].stored.path
    (event,) = events.of("unverified")
    assert event == {"event": "unverified", "model": "toy", "target": COMPILED, "reason": NO_DEVICE}
    assert [event["target"] for event in events.of("verdict")] == [READY]


def test_its_record_has_no_verdict_and_all_that_a_later_one_needs(build, store, plan):
    build()
    (record,) = read_records(store, "toy", COMPILED)
    assert record.verdict is None
    assert record.plan.steps == plan.steps
    assert record.target == plan.targets[1]
    assert "neuron-infer" not in record.results
    assert {"reference", "neuron-ready", "neuron-compile"} <= set(record.results)


def test_what_fails_its_gate_on_the_cpu_is_not_compiled(build, store, isolation):
    def answer_otherwise(run):
        FakeIsolation.answer(isolation, run, run.work / "out" / "answers.npz")
        if "saved-model" in run.inputs:
            with np.load(run.work / "out" / "answers.npz") as file:
                moved = {name: file[name] + np.float32(0.5) for name in file.files}
            np.savez(run.work / "out" / "answers.npz", **moved)
        (run.work / "out" / "stage.json").write_text("{}")

    isolation.behaviour["tf1-infer"] = answer_otherwise
    with pytest.raises(ParityError, match=READY):
        build()
    assert "neuron-compile" not in isolation.runs
    assert names(store) == []


def test_a_second_build_without_a_device_runs_nothing_and_says_the_same(build, events):
    build()
    _, ran = build()
    assert ran == []
    assert len(events.of("unverified")) == 1


def test_with_a_device_it_is_run_there_and_judged(build, device, isolation, events):
    device()
    assert neuron_device() is not None
    built, ran = build()
    assert ran == [*ON_CPU, "neuron-infer"]
    assert [stage for stage, needs in isolation.devices if needs] == ["infer"]
    assert built[1].verdict.passed
    assert built[1].verdict.precision == "float16"
    assert events.of("unverified") == []


def test_a_device_that_comes_later_needs_no_other_compilation(build, device):
    build()
    device()
    built, ran = build()
    assert ran == ["neuron-infer"]
    assert built[1].verdict.passed


@pytest.mark.parametrize("offset", [0.5, float("nan")])
def test_what_answers_otherwise_on_the_device_loses_its_name(build, device, isolation, store, offset):
    build()
    assert COMPILED in names(store)
    device()
    isolation.offset = offset
    with pytest.raises(ParityError, match=f"{COMPILED} of toy does not answer like its source"):
        build()
    assert names(store) == [READY]


def test_verify_without_a_device_judges_the_others_and_says_what_it_did_not(build, session, events):
    build()
    events.clear()
    with pytest.raises(NotVerifiedError) as raised:
        results.verify(session, ())
    assert raised.value.exit_code == 21
    assert str(raised.value) == (f"1 of 2 targets answers like its source; not verified: toy {COMPILED}: {NO_DEVICE}.")
    assert raised.value.next_step
    assert [event["target"] for event in events.of("verdict")] == [READY]
    assert [event["target"] for event in events.of("unverified")] == [COMPILED]
    assert events.of("result") == []


def test_verify_of_what_needs_no_device_is_not_troubled(build, session, events):
    build()
    results.verify(session, (f"toy/{READY}",))
    assert events.of("result")[-1]["verified"] == [{"model": "toy", "target": READY}]


def test_what_fails_on_the_cpu_is_told_before_what_could_not_be_asked(build, session, isolation, store):
    build()
    isolation.behaviour["tf1-infer"] = lambda run: wrong_answers(isolation, run)
    with pytest.raises(ParityError):
        results.verify(session, ())
    assert names(store) == [COMPILED]


def wrong_answers(isolation, run):
    """Answers that no two runs give."""
    path = run.work / "out" / "answers.npz"
    FakeIsolation.answer(isolation, run, path)
    with np.load(path) as file:
        moved = {name: file[name] + np.float32("saved-model" in run.inputs) for name in file.files}
    np.savez(path, **moved)
    (run.work / "out" / "stage.json").write_text("{}")


def test_status_says_not_verified_until_a_device_has_proved_it(build, session, events, device):
    build()
    found = status(session, events)
    assert found[READY]["state"] == "built"
    assert found[COMPILED]["state"] == "not verified"
    assert (found[COMPILED]["max_abs"], found[COMPILED]["allowed"]) == (None, None)
    assert found[COMPILED]["path"].endswith(f"out/toy/{COMPILED}")
    device()
    build()
    found = status(session, events)
    assert found[COMPILED]["state"] == "built"
    assert found[COMPILED]["allowed"] == 1e-2


def test_status_tells_of_what_was_proved_elsewhere_where_there_is_no_device(
    build, session, events, device, monkeypatch, tmp_path
):
    build()
    device()
    results.verify(session, ())
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    found = status(session, events)
    assert {name: target["state"] for name, target in found.items()} == {READY: "built", COMPILED: "built"}


def test_verify_with_a_device_proves_what_was_built_without_one(build, session, device, events, store):
    """The artifacts folder of a machine without a device, taken to one that has it."""
    build()
    device()
    results.verify(session, ())
    assert {one["target"] for one in events.of("result")[-1]["verified"]} == {READY, COMPILED}
    (record,) = read_records(store, "toy", COMPILED)
    assert record.verdict.passed
    assert status(session, events)[COMPILED]["state"] == "built"


def test_verify_with_a_device_takes_the_name_of_what_answers_otherwise(build, session, device, isolation, store):
    build()
    device()
    isolation.offset = 0.5
    with pytest.raises(ParityError, match=COMPILED):
        results.verify(session, (f"toy/{COMPILED}",))
    assert names(store) == [READY]


def test_the_first_device_is_used_unless_one_is_named(monkeypatch, tmp_path):
    assert neuron_device() is None
    (tmp_path / "neuron7").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "neuron7"))
    assert neuron_device() == tmp_path / "neuron7"
    monkeypatch.setattr("bertbuild.isolation.device.USUAL", str(tmp_path / "neuron7"))
    monkeypatch.delenv(VARIABLE)
    assert neuron_device() == tmp_path / "neuron7"
