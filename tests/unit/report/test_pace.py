"""How far things are, how long they may take, and a line of it where stdout is no terminal and nothing else is said."""

import io
import sys
import time

import pytest

from bertbuild.report import live
from bertbuild.report.pace import NEARLY, Pace, Whole, duration
from bertbuild.report.text import TextReporter

KEY = "0123456789abcdef" * 4
RUN = {"event": "run", "jobs": 2, "build_file": "bertbuild.toml"}
JOBS = [{"job": f"tiny/{name}", "kind": "stage", "needs": [], "expects": 60.0} for name in ("freeze", "ir", "infer")]


def stage(job, state, **more):
    return {"event": "stage", "stage": "x", "id": job, "job": job, "key": KEY, "state": state, **more}


def test_what_counts_tells_its_fraction_and_what_is_left():
    pace = Pace(name="tiny/train", began=0.0)
    assert (pace.fraction(10.0), pace.left(10.0), pace.words(10.0)) == (None, None, "")
    pace.phase("training", None, now=10.0)
    pace.advance(0, 100, now=10.0)
    assert pace.words(12.0) == "0 %"
    pace.advance(25, 100, now=20.0)
    assert (pace.fraction(20.0), pace.left(20.0)) == (0.25, 30.0)
    assert pace.words(20.0) == "25 %, about 30 s left"
    pace.advance(100, 100, now=50.0)
    assert pace.words(50.0) == "100 %, about 0 s left"


def test_what_does_not_count_is_judged_by_what_it_took_before_and_is_never_done_before_it_ends():
    pace = Pace(name="tiny/train", began=0.0)
    pace.phase("building the training graph", 40.0, now=100.0)
    assert pace.words(110.0) == "25 %, about 30 s left"
    assert pace.fraction(200.0) == NEARLY
    assert pace.left(200.0) is None


def test_another_phase_begins_at_nothing():
    pace = Pace(name="tiny/train", began=0.0)
    pace.advance(7, 10, now=1.0)
    pace.phase("predicting", None, now=2.0)
    assert pace.fraction(3.0) is None


def test_a_whole_run_counts_its_jobs_and_estimates_the_rest_by_the_record():
    whole = Whole(slots=2)
    for number in range(57):
        whole.add(str(number), 60.0)
    for number in range(12):
        whole.end(str(number))
    assert whole.words(0.0) == "12 of 57 done, about 22 min left"
    whole.start("12", 0.0)
    assert whole.left(60.0) == 44 * 60.0 / 2
    whole.add("new", None)
    assert whole.words(0.0) == "12 of 58 done"
    whole.end("of nobody")
    assert whole.done == 12


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2.0 h")])
def test_a_time_has_the_unit_that_suits_it(seconds, words):
    assert duration(seconds) == words


def test_far_from_a_terminal_a_line_tells_what_still_runs(monkeypatch, capsys):
    monkeypatch.setattr(live, "QUIET_SECONDS", 0.05)
    reporter = TextReporter()
    reporter(RUN)
    reporter({"event": "graph", "jobs": JOBS})
    reporter(stage("tiny/freeze", "cached"))
    reporter({"event": "environment", "backend": "tf1", "isolation": "docker", "state": "started"})
    text = "7 of 28: #12 3.2 Collecting numpy"
    reporter({"event": "environment", "backend": "tf1", "isolation": "docker", "state": "line", "text": text})
    time.sleep(0.2)
    reporter({"event": "environment", "backend": "tf1", "isolation": "docker", "state": "done", "seconds": 1.0})
    time.sleep(0.1)
    reporter.close()
    lines = capsys.readouterr().out.splitlines()
    beats = [line for line in lines if "still running" in line]
    assert lines[0] == "  making the image tf1; this happens once"
    assert beats
    assert beats[0].startswith(
        "  still running: 1 of 3 done, about 60 s left; image tf1 (for 0 s, 25 %, about 0 s left, 7"
    )
    assert "still running" not in lines[-1], "nothing is said of what has ended"


def test_what_failed_runs_no_longer(monkeypatch, capsys):
    monkeypatch.setattr(live, "QUIET_SECONDS", 0.03)
    reporter = TextReporter()
    reporter({"event": "environment", "backend": "tf1", "isolation": "docker", "state": "started"})
    reporter({"event": "failure", "job": "environment tf1", "message": "No.", "next_step": "", "details": ""})
    time.sleep(0.15)
    reporter.close()
    assert "still running" not in capsys.readouterr().out


def test_a_terminal_shows_the_whole_run_above_its_jobs_with_bars(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    reporter = TextReporter()
    for event in (RUN, {"event": "graph", "jobs": JOBS}, stage("tiny/freeze", "cached")):
        reporter(event)
    reporter(stage("tiny/ir", "started", expects=60.0))
    reporter({"event": "step", "job": "tiny/ir", "text": "converting", "expects": 30.0})
    reporter({"event": "progress", "job": "tiny/ir", "done": 3, "total": 4})
    reporter._live._progress.refresh()
    reporter.close()
    text = terminal.getvalue()
    assert "1 of 3" in text
    assert "75 %" in text
    assert "converting" in text
