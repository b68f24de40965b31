"""One store, several instruction sets: what is asked again, and what verdicts, records and status say."""

from __future__ import annotations

import json

import pytest
from host_doubles import Events, FakeIsolation, names

from bertbuild.commands import status as status_command
from bertbuild.commands import verify as results
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.engine import executor as making
from bertbuild.engine.engine import Engine
from bertbuild.engine.staleness import WOULD_RUN, Checker
from bertbuild.errors import ParityError
from bertbuild.kinds.int8 import Calibration
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.plans.plan import File
from bertbuild.report.checks import in_full
from bertbuild.store.records import read_records

AVX2, VNNI = "AVX2", "AVX512_CORE_VNNI"
SATURATED = 0.8


class OneOfTwoProcessors(FakeIsolation):
    """Its stage says which processor it ran on, as openvino-infer does."""

    processor = VNNI

    def run(self, run, on_event):
        super().run(run, on_event)
        if run.stage == "infer" and run.backend == "openvino":
            facts = {"instructions": self.processor, "default_precision": "f32"}
            (run.work / "out" / "stage.json").write_text(json.dumps({"facts": facts}))


@pytest.fixture
def isolation(monkeypatch):
    double = OneOfTwoProcessors()
    monkeypatch.setattr(making, "instruction_set", lambda: double.processor)
    return double


@pytest.fixture
def plan(tmp_path, source, probes):
    """The plan of an fp32 and an int8 IR."""
    (tmp_path / "examples").write_text("examples")
    examples = File(path=tmp_path / "examples", digest="d-examples")

    def make(**asked):
        request = Ir(precision="fp32,int8", calibration="f", **asked)
        return plan_ir(source, request, probes, Calibration(examples=examples))

    return make


@pytest.fixture
def build(store, isolation, events, probes):
    """Build on a processor: target → the instruction set its verdict names; and the stages that ran."""

    def on(processor, plan):
        isolation.processor = processor
        isolation.runs.clear()
        built = Engine(store, isolation, events).build(plan, probes)
        return {one.target: one.verdict.instructions for one in built}, isolation.runs.copy()

    return on


@pytest.fixture
def session(root, store, isolation, events, monkeypatch):
    """A session over the same store, whose stages are played."""
    monkeypatch.setattr(Session, "isolation", isolation)
    monkeypatch.setattr(Session, "store", store)
    return Session(settings=load_settings({"artifacts": str(root)}), report=events)


def recorded(store):
    return {record.target.name: record.verdict.instructions for record in read_records(store)}


def test_on_another_instruction_set_int8_is_asked_again_and_nothing_is_made_again(build, plan):
    verdicts, ran = build(VNNI, plan())
    assert verdicts == {"ir-fp32": VNNI, "ir-int8": VNNI}
    assert ran.count("openvino-infer") == 2
    verdicts, ran = build(AVX2, plan())
    assert verdicts == {"ir-fp32": VNNI, "ir-int8": AVX2}  # fp32 is the same arithmetic on each
    assert ran == ["openvino-infer"]


def test_what_was_asked_on_both_is_up_to_date_on_both(build, plan):
    build(VNNI, plan())
    build(AVX2, plan())
    for processor in (VNNI, AVX2):
        verdicts, ran = build(processor, plan())
        assert (verdicts["ir-int8"], ran) == (processor, [])


def test_why_names_the_instruction_sets(build, plan, store, isolation, probes):
    build(VNNI, plan())
    isolation.processor = AVX2
    checker = Checker(Engine(store, isolation, Events()).jobs(), store, isolation.name)
    checks = [checker.check(job) for job in checker.add_targets(plan(), probes)]
    (would_run,) = [check for check in checks if check.state == WOULD_RUN and check.kind == "stage"]
    assert would_run.name == "ir-int8-infer"
    assert list(in_full(would_run, lambda *_: ())) == [f"environment instructions: {VNNI} → {AVX2}"]


def test_a_verdict_says_where_it_was_reached(build, plan, store, events):
    build(AVX2, plan())
    assert {event["target"]: event["instructions"] for event in events.of("verdict")} == {
        "ir-fp32": AVX2,
        "ir-int8": AVX2,
    }
    assert recorded(store) == {"ir-fp32": AVX2, "ir-int8": AVX2}


def test_status_says_it(build, plan, session, events):
    build(VNNI, plan())
    build(AVX2, plan())
    status_command.status(session, "")
    told = {fact["target"]: fact["instructions"] for fact in events.of("result")[-1]["targets"]}
    assert told == {"ir-fp32": VNNI, "ir-int8": AVX2}
    columns, row = events.of("table")[-1]["columns"], events.of("table")[-1]["rows"][0]
    assert row[columns.index("judged on")] == VNNI  # of ir-fp32


def test_verify_on_another_one_asks_all_again_and_its_verdicts_take_the_place(build, plan, session, isolation, store):
    build(VNNI, plan())
    isolation.processor = AVX2
    isolation.runs.clear()
    results.verify(session, ())
    assert isolation.runs.count("openvino-infer") == 2
    assert recorded(store) == {"ir-fp32": AVX2, "ir-int8": AVX2}


@pytest.mark.parametrize("ask", ["build", "verify"])
def test_what_is_for_vnni_alone_and_wrong_without_it_says_so(build, plan, session, isolation, store, probes, ask):
    wanted = plan(int8_for="vnni")
    build(VNNI, wanted)
    assert names(store) == ["ir-fp32", "ir-vnni-int8"]
    isolation.processor, isolation.offset = AVX2, SATURATED

    def again():
        if ask == "build":
            Engine(store, isolation, Events()).build(wanted, probes)
        else:
            results.verify(session, ("ir-vnni-int8",))

    with pytest.raises(ParityError, match="ir-vnni-int8 of toy does not answer like its source") as raised:
        again()
    assert raised.value.next_step.startswith(
        "It was made for processors with VNNI, and this one (AVX2) has none: --int8-for any."
    )
    assert names(store) == ["ir-fp32"]
    if ask == "verify":
        assert recorded(store)["ir-vnni-int8"] == AVX2


def test_what_is_for_any_processor_and_wrong_is_not_excused(build, plan, isolation):
    isolation.offset = SATURATED
    with pytest.raises(ParityError) as raised:
        build(AVX2, plan())
    assert "VNNI" not in raised.value.next_step
