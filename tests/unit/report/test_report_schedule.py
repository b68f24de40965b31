"""Who waited for whom, in runs small enough to work it out by hand, and in played ones."""

from __future__ import annotations

import itertools
import json

import pytest
import run_logs
from hypothesis import given, settings
from hypothesis import strategies as st

from bertbuild.report.html.log import Log
from bertbuild.report.html.run import Job, run_of
from bertbuild.report.html.schedule import SLACK, _lanes, critical_path, passages


def run_with(jobs, *, slots=2, memory=100):
    """A run of jobs given as id → (needs, memory, began, ended), all known at 0."""
    graph = [{"job": name, "needs": needs, "memory": size} for name, (needs, size, _, _) in jobs.items()]
    events = [
        {"event": "run", "time": 0.0, "jobs": slots, "memory": memory},
        {"event": "graph", "time": 0.0, "jobs": graph},
    ]
    for name, (_, _, began, ended) in jobs.items():
        for state, time in (("started", began), ("done", ended)):
            events.append({"event": "stage", "job": name, "state": state, "time": time})
    return run_of("hand", Log(events=tuple(sorted(events, key=lambda event: event["time"]))))


def told(run):
    return {
        passage.job.id: (passage.ready, passage.last_need, round(passage.waited, 3), passage.reason, passage.freed_by)
        for passage in passages(run)
    }


def test_waiting_for_a_need_for_a_slot_and_for_memory():
    run = run_with(
        {
            "a": ([], 10, 0.0, 4.0),
            "b": ([], 10, 0.0, 6.0),
            "c": (["a"], 10, 4.0, 5.0),  # begins as soon as it can
            "d": ([], 10, 5.0, 7.0),  # known from 0 on: both slots are taken until c ends
            "e": (["a", "b"], 95, 7.0, 9.0),  # ready at 6, but does not fit beside d
            "f": (["e"], 10, 12.0, 13.0),  # nobody knows why it was so late
        }
    )
    assert told(run) == {
        "a": (0.0, "", 0.0, "", ""),
        "b": (0.0, "", 0.0, "", ""),
        "c": (4.0, "a", 0.0, "", ""),
        "d": (0.0, "", 5.0, "slot", "c"),
        "e": (6.0, "b", 1.0, "memory", "d"),
        "f": (9.0, "e", 3.0, "", ""),
    }
    assert [(passage.job.id, passage.lane) for passage in passages(run)] == [
        ("a", 0), ("b", 1), ("c", 0), ("d", 0), ("e", 0), ("f", 0)
    ]  # fmt: skip


def test_the_critical_path_is_the_longest_chain_of_needs_not_the_last_to_end():
    run = run_with(
        {
            "a": ([], 0, 0.0, 4.0),
            "b": (["a"], 0, 4.0, 9.0),
            "late": ([], 0, 9.0, 12.0),
            "c": (["b"], 0, 9.0, 10.0),
        }
    )
    assert [job.id for job in critical_path(run)] == ["a", "b", "c"]
    assert [passage.job.id for passage in passages(run) if passage.critical] == ["a", "b", "c"]


def test_the_critical_path_passes_through_what_was_up_to_date():
    events = [
        {
            "event": "graph",
            "time": 0.0,
            "jobs": [{"job": "a"}, {"job": "b", "needs": ["a"]}, {"job": "c", "needs": ["b"]}],
        },
        {"event": "stage", "job": "a", "state": "started", "time": 0.0},
        {"event": "stage", "job": "a", "state": "done", "time": 2.0},
        {"event": "stage", "job": "b", "state": "cached", "time": 2.0},
        {"event": "stage", "job": "c", "state": "started", "time": 2.0},
        {"event": "stage", "job": "c", "state": "done", "time": 3.0},
    ]
    run = run_of("hand", Log(events=tuple(events)))
    assert [job.id for job in critical_path(run)] == ["a", "c"]
    assert told(run)["c"] == (2.0, "b", 0.0, "", "")


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(0, 99), st.integers(900, 6000))
def test_played_runs_keep_their_slots_and_end_no_sooner_than_their_longest_chain(slots, seed, megabytes):
    jobs = [run_logs.environment(*made) for made in (("data", 1), ("tf1", 3), ("openvino", 2), ("tf2", 4))]
    jobs += run_logs.model_jobs("one", seed=seed) + run_logs.model_jobs("two", seed=seed)
    lines = run_logs.play("played", jobs, slots=slots, memory=megabytes * 10**6)
    run = run_of("played", Log(events=tuple(map(json.loads, lines))))
    ran = passages(run)
    assert len({passage.job.id for passage in ran}) == len(ran)
    lanes = {}
    for passage in ran:
        lanes.setdefault(passage.lane, []).append(passage.job)
        assert 0 <= passage.ready <= passage.job.began
        assert all(run.jobs[need].ended <= passage.ready + SLACK for need in passage.job.needs)
    assert len(lanes) <= slots
    for lane in lanes.values():
        assert all(before.ended <= after.began + SLACK for before, after in itertools.pairwise(lane))
    chain = critical_path(run)
    assert all(before.id in after.needs for before, after in itertools.pairwise(chain))
    assert sum(job.seconds for job in chain) <= run.wall + 0.01
    if slots == 1:
        assert {passage.reason for passage in ran} <= {"", "slot"}
    assert any(passage.reason == "slot" for passage in ran) or slots > 1


@pytest.mark.parametrize("slots", [1, 2])
def test_a_wait_for_a_slot_ends_when_somebody_ends(slots):
    run_id, jobs = run_logs.ordinary()
    lines = run_logs.play(run_id, jobs, slots=slots)
    run = run_of(run_id, Log(events=tuple(map(json.loads, lines))))
    waits = [passage for passage in passages(run) if passage.reason == "slot"]
    assert len(waits) > 5
    for passage in waits:
        assert passage.job.began == pytest.approx(run.jobs[passage.freed_by].ended, abs=0.05)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_no_more_slots_are_drawn_than_there_were_though_times_overlap(slots):
    jobs = [Job(id=str(number), state="done", began=number, ended=number + slots + 0.5) for number in range(12)]
    assert max(_lanes(jobs, slots).values()) == slots - 1
    assert max(_lanes(jobs, None).values()) == slots


def test_each_workers_slots_are_lanes_of_their_own():
    run = run_with(
        {name: ([], 1, began, began + 2.0) for name, began in (("a", 0.0), ("b", 1.0), ("c", 1.5), ("d", 3.0))}
    )
    for name, worker in (("a", "w2"), ("b", "w1"), ("c", "w2"), ("d", "")):
        run.jobs[name].worker = worker
    assert [(passage.job.id, passage.lane, passage.slot) for passage in passages(run)] == [
        ("a", 2, "slot 1 of w2"),
        ("b", 1, "slot 1 of w1"),
        ("c", 3, "slot 2 of w2"),
        ("d", 0, "slot 1"),
    ]
