from __future__ import annotations

import pytest

pytest.importorskip("distributed")
pytest.importorskip("securesystemslib")

from host_doubles import Events
from played_cluster import Machines, Played, PlayedPlace

from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir

STAGES = ["freeze", "tf1-infer", "ir", "openvino-infer"]


@pytest.fixture(autouse=True)
def played(monkeypatch):
    monkeypatch.setattr("bertbuild.cluster.worker.place", lambda _name: PlayedPlace)
    for told in (Played.runs_of, Played.behave, Played.lock_of):
        monkeypatch.setattr(Played, next(name for name, value in vars(Played).items() if value is told), {})


@pytest.fixture
def plan(source, probes):
    return plan_ir(source, Ir(route="reshapeable"), probes)


@pytest.fixture
def machines(tmp_path):
    with Machines(tmp_path, w1=None, w2=None) as made:
        yield made


def test_a_build_on_two_workers_has_the_results_names_and_events_of_one_machine(machines, plan, probes):
    events = Events()
    engine, cluster = machines.builder("builder", events)
    try:
        (built,) = engine.build(plan, probes)
    finally:
        cluster.close()
    assert built.verdict.passed
    assert built.path.resolve().parent.name == "ir"
    ran = [stage for runs in Played.runs_of.values() for stage in runs]
    assert sorted(ran) == sorted(STAGES)
