"""What people see of a build file's run: blocks of jobs, a line a target, failures in their own words."""

from __future__ import annotations

import io
import sys

import pytest

from bertbuild.report.text import TextReporter

KEY = "0123456789abcdef" * 4
RUN = {"event": "run", "jobs": 2, "build_file": "bertbuild.toml"}


def stage(job, state, **more):
    model, step = job.split("/")
    return {"event": "stage", "stage": step, "id": step, "job": job, "model": model, "key": KEY, "state": state, **more}


def target(state, **more):
    return {"event": "target", "model": "tiny", "target": "ir-fp16", "state": state, **more}


def test_lines_of_jobs_at_once_are_printed_in_one_block_each(shown):
    out, _ = shown(
        RUN,
        stage("tiny/freeze", "started"),
        stage("large/freeze", "started"),
        {"event": "note", "job": "tiny/freeze", "text": "of tiny"},
        {"event": "note", "job": "large/freeze", "text": "of large"},
        {"event": "note", "job": "tiny/freeze", "text": "of tiny again"},
        stage("large/freeze", "done", seconds=2.0),
        stage("tiny/freeze", "done", seconds=3.0),
        {"event": "note", "job": "other", "text": "of a job that has no block"},
        {"event": "note", "model": "tiny", "text": "of a model"},
    )
    assert out == (
        "  large/freeze: of large\n"
        "✓ large/freeze                     2.0 s    0123456789ab\n"
        "  tiny/freeze: of tiny\n"
        "  tiny/freeze: of tiny again\n"
        "✓ tiny/freeze                      3.0 s    0123456789ab\n"
        "  other: of a job that has no block\n"
        "  tiny: of a model\n"
    )


def test_what_is_up_to_date_is_counted_and_not_listed(shown):
    out, _ = shown(
        RUN,
        stage("tiny/freeze", "cached"),
        target("up to date", max_abs=1e-6, allowed=1e-5),
        {"event": "result", "lines": ["1 targets in artifacts/out: 1 up to date"]},
    )
    assert out == "1 targets in artifacts/out: 1 up to date\n"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            target("built", bytes=2_500_000, max_abs=1.25e-3, allowed=5e-3),
            "✓ tiny/ir-fp16                 built, 2.5 MB, answers like its source: max abs 1.3e-03 of 5e-03\n",
        ),
        (target("not verified", message="no device"), "? tiny/ir-fp16                 NOT VERIFIED: no device\n"),
        (target("skipped", because="tiny/freeze"), "- tiny/ir-fp16                 skipped: tiny/freeze failed\n"),
        (target("failed", message="…"), "✗ tiny/ir-fp16                 failed\n"),
    ],
)
def test_a_target_ends_with_a_line(shown, event, line):
    assert shown(RUN, event)[0] == line


def test_a_failure_that_the_run_outlives_is_told_with_all_its_words(shown):
    failure = {
        "event": "failure",
        "job": "tiny/freeze",
        "message": "It failed.",
        "next_step": "Look.",
        "details": "a\nb",
    }
    told = "  | a\n  | b\n✗ tiny/freeze: It failed.\n  → Look.\n"
    assert shown(RUN, failure)[0] == told
    again = {**failure, "job": "large/freeze"}
    assert shown(RUN, failure, again)[0] == f"{told}✗ large/freeze: as tiny/freeze\n"
    other = {**again, "details": "c"}
    assert shown(RUN, failure, other)[0] == f"{told}  | c\n✗ large/freeze: It failed.\n  → Look.\n"


def test_an_interrupted_job_leaves_no_line(shown):
    events = (stage("tiny/freeze", "started"), stage("tiny/freeze", "interrupted", seconds=1.0))
    assert shown(RUN, *events)[0] == ""


def test_a_terminal_shows_a_line_for_each_job_that_runs(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    reporter = TextReporter()
    for event in (RUN, stage("tiny/freeze", "started"), stage("large/freeze", "started")):
        reporter(event)
    reporter({"event": "step", "job": "large/freeze", "text": "loading"})
    assert set(reporter._live._tasks) == {"tiny/freeze", "large/freeze"}
    reporter(stage("tiny/freeze", "done", seconds=1.0))
    assert set(reporter._live._tasks) == {"large/freeze"}
    reporter(stage("large/freeze", "done", seconds=1.0))
    reporter.close()
    assert not reporter._live.shown
    assert "loading" in terminal.getvalue()
    assert "✓ tiny/freeze" in terminal.getvalue()
