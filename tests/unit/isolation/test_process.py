from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from host_doubles import alive, exit_code, in_child, wait_until

from bertbuild.isolation import process
from bertbuild.isolation.process import Children, end_groups, run_logged


@pytest.fixture
def run(tmp_path):
    """Run a line of Python as a child; gives its code, its events and its log."""

    def start(source, on_event=None, env=None):
        events = []
        log = tmp_path / "logs" / "stage.log"
        code = run_logged(
            [sys.executable, "-S", "-c", source],
            env=env or {},
            cwd=tmp_path,
            log=log,
            on_event=on_event or events.append,
            children=Children(),
        )
        return code, events, log.read_text()

    return start


FAMILY = """
import os, signal, subprocess, sys, time
for name in {ignored}: signal.signal(getattr(signal, name), signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c", {grandchild!r}])
print('{{"event": "started", "pids": [%d, %d]}}' % (os.getpid(), child.pid), flush=True)
time.sleep(60)
"""
SLEEPS = "import time; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


def interrupted_when_started(pids):
    """What Ctrl-C does, once child and grandchild are there."""

    def on_event(event):
        pids.extend(event["pids"])
        time.sleep(0.1)  # the grandchild sets its handlers
        raise KeyboardInterrupt

    return on_event


def test_events_and_log_lines_are_told_apart(run):
    lines = [
        '{"event": "step", "text": "reading"}',
        "plain",
        '{"no": "event"}',
        '{"event": torn',
        '["event"]',
        ' {"event": "indented"}',
        '{"event": "note", "text": "ü"}',
    ]
    code, events, log = run(
        f"import sys; sys.stdout.reconfigure(encoding='utf-8'); [print(line) for line in {lines!r}]"
    )
    assert code == 0
    assert events == [{"event": "step", "text": "reading"}, {"event": "note", "text": "ü"}]
    first, *others, last = log.splitlines()
    assert others == lines[1:6]
    assert [line.split(" s  ")[1] for line in (first, last)] == ["reading", "note: ü"]  # what it did is kept too


def test_bytes_that_are_no_text_reach_the_log_as_they_are(run, tmp_path):
    with pytest.raises(UnicodeDecodeError):
        run(r"import sys; sys.stdout.buffer.write(b'{\xff}\n\xfe')")
    assert (tmp_path / "logs" / "stage.log").read_bytes() == b"{\xff}\n\xfe"


def test_a_last_line_without_its_end_and_stderr_are_kept(run):
    code, _, log = run("import sys; print('out', end='', flush=True); sys.stderr.write('err')")
    assert code == 0
    assert sorted(log) == sorted("outerr")


def test_the_log_is_added_to(run):
    run("print('first')")
    assert run("print('second')")[2] == "first\nsecond\n"


@pytest.mark.parametrize(
    ("source", "code"),
    [("raise SystemExit(0)", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)],
)
def test_the_exit_code_is_given_negative_for_a_signal(run, source, code):
    assert run(source)[0] == code


def test_the_child_has_only_the_environment_it_is_given_and_nothing_to_read(run, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    source = "import os, sys; print(os.environ.get('SECRET'), os.environ['GIVEN'], repr(sys.stdin.read()))"
    assert run(source, env={"GIVEN": "yes"})[2] == "None yes ''\n"


def test_ctrl_c_ends_child_and_grandchild(run):
    pids = []
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(FAMILY.format(ignored=(), grandchild=SLEEPS), interrupted_when_started(pids))
    assert len(pids) == 2
    wait_until(lambda: not any(map(alive, pids)))
    assert time.monotonic() - started < process.GRACE_SECONDS


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(run, monkeypatch):
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.3)
    pids = []
    with pytest.raises(KeyboardInterrupt):
        run(FAMILY.format(ignored=("SIGTERM",), grandchild=SLEEPS), interrupted_when_started(pids))
    wait_until(lambda: not any(map(alive, pids)))


def test_a_grandchild_that_ignores_sigterm_does_not_outlive_its_parent(run):
    pids = []
    with pytest.raises(KeyboardInterrupt):
        run(FAMILY.format(ignored=(), grandchild=STUBBORN), interrupted_when_started(pids))
    wait_until(lambda: not any(map(alive, pids)))


def test_an_impatient_second_ctrl_c_kills_at_once(monkeypatch):
    child = subprocess.Popen([sys.executable, "-S", "-c", f"print(flush=True); {STUBBORN}"], start_new_session=True)
    time.sleep(0.2)

    def impatient(_seconds=None, wait=child.wait):
        if _seconds is not None:
            raise KeyboardInterrupt
        return wait()

    monkeypatch.setattr(child, "wait", impatient)
    with pytest.raises(KeyboardInterrupt):
        end_groups([child])
    assert child.returncode == -signal.SIGKILL


def test_a_child_that_is_gone_already_is_no_error():
    child = subprocess.Popen([sys.executable, "-S", "-c", ""], start_new_session=True)
    child.wait()
    end_groups([child])
    assert child.returncode == 0


def test_an_error_of_the_listener_ends_the_child_too(run):
    pids = []

    def on_event(event):
        pids.extend(event["pids"])
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(FAMILY.format(ignored=(), grandchild=SLEEPS), on_event)
    wait_until(lambda: not any(map(alive, pids)))


def test_sigterm_turned_into_an_interrupt_ends_child_and_grandchild(run, tmp_path):
    """As `bertbuild.cli.frame` turns it."""
    told = tmp_path / "pids"

    def host():
        from bertbuild.cli import frame as running

        signal.signal(signal.SIGTERM, running._end)
        run(
            FAMILY.format(ignored=(), grandchild=SLEEPS),
            lambda event: told.write_text(" ".join(map(str, event["pids"]))),
        )

    child = in_child(host)
    pids = wait_until(lambda: told.exists() and [int(pid) for pid in told.read_text().split()])
    os.kill(child, signal.SIGTERM)
    assert exit_code(child) == 1
    wait_until(lambda: not any(map(alive, pids)))


def test_the_log_of_a_stage_that_said_nothing_else_says_what_it_did(run):
    said = ['{"event": "step", "text": "loading"}', '{"event": "progress", "done": 1, "total": 2}']
    _, events, log = run(f"[print(line) for line in {said!r}]")
    assert len(events) == 2
    assert log.strip().endswith(" s  loading")
