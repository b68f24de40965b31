"""Logs read: whole, torn, foreign; and what the engine really writes."""

from __future__ import annotations

import json

import pytest
import run_logs
from host_doubles import probes_file
from hypothesis import given, settings
from hypothesis import strategies as st

from bertbuild.engine.engine import Engine
from bertbuild.errors import ParityError, StageError, StoreError
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.report.html.contents import ending
from bertbuild.report.html.evidence import Evidence, gather
from bertbuild.report.html.log import read_log
from bertbuild.report.html.page import page
from bertbuild.report.html.run import run_of
from bertbuild.report.run_log import RunLog


def run_from(folder, *lines):
    """The run of a log of these lines: events, or bytes as they are."""
    text = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    path = folder / "log.jsonl"
    path.write_bytes(text)
    return run_of("log", read_log(path))


def stage(job, state, time, **more):
    return {
        "event": "stage",
        "job": job,
        "stage": "freeze",
        "model": "m",
        "key": "k",
        "state": state,
        "time": time,
        **more,
    }


def states(run):
    return {name: job.state for name, job in run.jobs.items()}


def test_an_ordinary_run(tmp_path):
    run_id, jobs = run_logs.ordinary()
    run_logs.write(tmp_path, run_id, run_logs.play(run_id, jobs), jobs)
    run = run_of(run_id, read_log(tmp_path / "runs" / f"{run_id}.jsonl"))
    assert (run.unreadable, run.set_back, ending(run).word) == (0, 0.0, "Finished")
    assert [target.state for target in run.targets.values()] == ["built"] * 8 + ["up to date"] * 2
    assert run.models == ("minilm", "mrpc", "sst2")
    tuned = run.jobs["mrpc/finetune"]
    played = next(job for job in jobs if job.job == "mrpc/finetune")
    assert tuned.seconds == pytest.approx(played.seconds, abs=0.01)
    assert (tuned.needs, tuned.targets[0]) == (("mrpc", "environment tf1"), ("mrpc", "ir-fp32"))
    assert len(run.training["mrpc/finetune"]) == len(played.training)


def test_a_torn_log_says_so_and_what_was_running(tmp_path):
    run_id, jobs = run_logs.ordinary()
    lines = run_logs.play(run_id, jobs, ending="")[:180]
    run_logs.write(tmp_path, run_id, lines, jobs, torn=True)
    run = run_of(run_id, read_log(tmp_path / "runs" / f"{run_id}.jsonl"))
    assert (run.unreadable, ending(run).word) == (1, "No result")
    unfinished = [job for job in run.jobs.values() if job.state == "unfinished"]
    assert [(job.id, job.ended) for job in unfinished] == [("mrpc/finetune", run.wall)]
    assert run.jobs["mrpc/freeze"].state == "not begun"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_log_cut_anywhere_still_gives_a_page(tmp_path_factory, data):
    run_id, jobs = run_logs.failing()
    whole = ("\n".join(run_logs.play(run_id, jobs, ending="error")) + "\n").encode()
    path = tmp_path_factory.mktemp("cut") / "log.jsonl"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    text = page(run_of("log", read_log(path)), Evidence())
    assert ("No result" in text) == (path.stat().st_size < len(whole) - 1)


NAMES = (
    *("job", "state", "needs", "targets", "model", "target", "time", "rows", "passed", "seconds", "max_abs", "host"),
    *("jobs", "precision", "skipped", "step", "steps", "loss", "command", "exit_code", "message", "memory", "key"),
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["a", "b", "done", "started"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=12,
)
KINDS = (
    "failure",
    "step",
    "reproduced",
    "run",
    "graph",
    "stage",
    "environment",
    "verdict",
    "target",
    "training",
    "note",
    "result",
    "error",
    "else",
)
EVENTS = st.builds(
    lambda kind, time, more: {**more, "event": kind, "time": time},
    st.sampled_from(KINDS),
    st.floats(0, 2e9),
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=8),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS | ANYTHING, max_size=12))
def test_a_log_of_nonsense_gives_a_page_or_one_sentence(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("odd") / "log.jsonl"
    path.write_text("\n".join(json.dumps(event) for event in events))
    try:
        run = run_of("odd", read_log(path))
    except StoreError as error:
        told = str(error)
    else:
        told = page(run, Evidence())
        told.encode()
    assert "need each other in a circle" in told or told.endswith("</html>")


def test_an_empty_log(tmp_path):
    run = run_from(tmp_path, b"")
    assert (run.jobs, run.targets, run.wall, ending(run).word) == ({}, {}, 0.0, "No result")


def test_a_clock_that_is_set_back_moves_nothing_back(tmp_path):
    run = run_from(
        tmp_path,
        {"event": "run", "time": 1000.0},
        stage("m/freeze", "started", 1001.0),
        stage("m/freeze", "done", 401.5),
        stage("m/ir", "started", 403.0),
        stage("m/ir", "done", 404.0),
    )
    assert run.set_back == pytest.approx(599.5)
    assert [(job.began, job.ended) for job in run.jobs.values()] == [(1.0, 1.0), (2.5, 3.5)]


def test_jobs_that_need_each_other_in_a_circle_are_an_error(tmp_path):
    jobs = [{"job": "a", "needs": ["b"]}, {"job": "b", "needs": ["a"]}]
    with pytest.raises(StoreError, match="in a circle"):
        run_from(tmp_path, {"event": "graph", "time": 1.0, "jobs": jobs})


def test_what_a_run_made_itself_was_not_up_to_date(tmp_path):
    lines = [stage("m/import", "started", 1.0), stage("m/import", "done", 2.0), stage("m/import", "cached", 9.0)]
    run = run_from(tmp_path, *lines)
    assert states(run) == {"m/import": "done"}
    assert run.jobs["m/import"].seconds == pytest.approx(1.0)


def test_what_had_nothing_to_do_is_up_to_date_and_what_nobody_came_to_is_not_begun(tmp_path):
    jobs = [{"job": "environment tf1", "kind": "environment"}, {"job": "m/freeze", "needs": ["environment tf1"]}]
    graph = {"event": "graph", "time": 1.0, "jobs": jobs}
    assert states(run_from(tmp_path, graph)) == {"environment tf1": "not begun", "m/freeze": "not begun"}
    run = run_from(tmp_path, graph, stage("m/freeze", "started", 2.0))
    assert states(run) == {"environment tf1": "cached", "m/freeze": "unfinished"}


@pytest.fixture
def logged(store, isolation, events):
    """Engines whose runs are logged, as the program's are."""
    events.close = lambda: None
    logs = []

    def make():
        logs.append(RunLog(store.root / "runs", events))
        return Engine(store, isolation, logs[-1], slots=2), logs[-1]

    yield make
    for log in logs:
        log.close()


def last_run(store):
    path = max((store.root / "runs").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return run_of(path.stem, read_log(path))


def test_what_the_engine_writes(store, logged, source, tmp_path):
    probes = probes_file(tmp_path)
    plan = plan_ir(source, Ir(), probes)
    engine, log = logged()
    engine.build(plan, probes)
    log({"event": "result", "lines": []})
    run = last_run(store)
    assert set(states(run).values()) == {"done"}
    (target,) = run.targets.values()
    assert (target.state, target.seconds >= 0, target.verdict["passed"]) == ("built", True, True)
    text = page(run, gather(run, store))
    assert "1 built" in text
    assert "lock-1 of tf1" in text  # the pin of an environment, from a manifest

    engine, log = logged()
    engine.build(plan, probes)
    log({"event": "result", "lines": []})
    run = last_run(store)
    assert set(states(run).values()) == {"cached"}
    assert [target.state for target in run.targets.values()] == ["up to date"]
    assert "No job ran: all" in page(run, gather(run, store))


def test_figures_of_a_target_that_was_not_judged_again_are_those_on_record(store, logged, source, tmp_path):
    probes = probes_file(tmp_path)
    engine, _ = logged()
    (built,) = engine.build(plan_ir(source, Ir(), probes), probes)
    told = {"event": "target", "time": 2.0, "model": built.model, "target": "ir-fp32", "state": "up to date"}
    run = run_from(tmp_path, {"event": "run", "time": 1.0}, {**told, "key": built.stored.key})
    assert gather(run, store).verdicts == {(built.model, "ir-fp32"): built.verdict.as_json()}
    of_another = run_from(tmp_path, {"event": "run", "time": 1.0}, {**told, "key": "another"})
    assert gather(of_another, store).verdicts == {}


def test_a_gate_that_fails(store, isolation, logged, source, tmp_path):
    isolation.offset = 0.5
    probes = probes_file(tmp_path)
    engine, _ = logged()
    with pytest.raises(ParityError) as failure:
        engine.build(plan_ir(source, Ir(), probes), probes)
    run = last_run(store)
    (target,) = run.targets.values()
    assert (target.state, target.message) == ("failed", str(failure.value))
    assert states(run)[f"{target.model}/ir-fp32 parity"] == "failed"
    text = page(run, gather(run, store))
    assert "ir-fp32 parity failed after" in text
    assert "0 of" not in text


def test_a_stage_that_fails_takes_what_needs_it_along(store, isolation, logged, source, tmp_path):
    def fail(run):
        run.log.write_text("\x1b[31mfirst\x1b[0m\n" + "".join(f"word {number}\n" for number in range(100)))
        raise StageError("The stage freeze failed with exit code 1.", next_step="Read its log.")

    isolation.behaviour["freeze"] = fail
    probes = probes_file(tmp_path)
    engine, _ = logged()
    with pytest.raises(StageError):
        engine.build(plan_ir(source, Ir(route="reshapeable"), probes), probes)
    run = last_run(store)
    model = next(iter(run.targets.values())).model
    assert states(run)[f"{model}/freeze"] == "failed"
    assert states(run)[f"{model}/ir-reshapeable-fp32"] == "skipped"
    tail = gather(run, store).tails[f"{model}/freeze"].split("\n")
    assert tail == [f"word {number}" for number in range(60, 100)]
    text = page(run, gather(run, store))
    assert f"Skipped because of it: {model}/ir-reshapeable-fp32" in text
    assert "The stage freeze failed with exit code 1." in text


def test_a_model_that_cannot_be_had_and_a_target_that_cannot_be_planned(tmp_path):
    """As `build` tells them: jobs of models have no events of their own."""
    found = [{"job": name, "kind": "model", "model": name.split()[0]} for name in ("a source", "b source")]
    refused = {"job": "a/hub", "kind": "model", "model": "a/hub"}
    end = {"error": "UsageError", "exit_code": 2, "next_step": "Ask for less.", "details": "word 1\nword 2"}
    run = run_from(
        tmp_path,
        {"event": "graph", "time": 1.0, "jobs": found},
        {"event": "graph", "time": 2.0, "jobs": [{"job": "a", "kind": "model", "model": "a"}]},
        {**stage("a", "started", 2.0), "model": "a", "stage": "inspect"},
        {**stage("a", "done", 3.0), "model": "a", "stage": "inspect"},
        {"event": "graph", "time": 3.5, "jobs": [refused, {"job": "a/freeze", "model": "a"}]},
        {"event": "failure", "time": 4.0, "job": "a/hub", "message": "Too long.", **end},
        {"event": "target", "time": 4.0, "model": "a", "target": "hub", "state": "failed", "because": "a/hub"},
        {"event": "target", "time": 5.0, "model": "b", "target": "hub", "state": "skipped", "because": "b source"},
    )
    assert run.models == ("a", "b")
    ended = {"a source": "done", "a": "done", "a/hub": "failed", "b source": "failed", "a/freeze": "not begun"}
    assert states(run) == ended
    assert {name: job.needs for name, job in run.jobs.items() if job.needs} == {
        "a": ("a source",),
        "a/hub": ("a",),
        "a/freeze": ("a",),
    }
    text = page(run, Evidence())
    assert text.count("Too long.") == 1
    assert "→ Ask for less." in text


def test_a_step_that_was_run_again(tmp_path):
    again = {"job": "m/freeze again", "kind": "again", "model": "m", "needs": ["m/freeze"]}
    run = run_from(
        tmp_path,
        {"event": "graph", "time": 1.0, "jobs": [{"job": "m/freeze", "model": "m"}, again]},
        stage("m/freeze", "cached", 1.0),
        {"event": "step", "time": 2.0, "job": "m/freeze again", "text": "loading"},
        {"event": "reproduced", "time": 4.0, "job": "m/freeze again", "lines": ["freeze: the same bytes"]},
    )
    job = run.jobs["m/freeze again"]
    assert (job.state, job.began, job.ended) == ("done", 1.0, 3.0)
    assert run.remarks == ["freeze: the same bytes"]
