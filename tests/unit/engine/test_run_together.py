"""Several processes that run one stage together."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest
from host_doubles import alive

from bertbuild.isolation.process import Children
from bertbuild.isolation.workers import Worker, cluster, run_together

SLEEP = "import time; time.sleep(60)"
EVENT = 'print(\'{"event": "%s", "text": "%s"}\', flush=True)'


@pytest.fixture
def together(tmp_path):
    """Runs lines of Python as workers; which decided, its exit code, the events, the logs, what still lives."""

    def run(*sources, on_event=None):
        told = [tmp_path / f"pid-{index}" for index in range(len(sources))]
        workers = [
            Worker(
                command=[
                    sys.executable,
                    "-c",
                    f"import os, pathlib; pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n{source}",
                ],
                env=dict(os.environ),
                cwd=tmp_path,
                log=tmp_path / "logs" / f"{index}.log",
            )
            for index, (source, pid) in enumerate(zip(sources, told, strict=True))
        ]
        events = []
        try:
            decided = run_together(workers, on_event or events.append, Children())
        finally:
            assert [pid for pid in told if pid.exists() and alive(int(pid.read_text() or 0))] == []
        return decided, events, [worker.log.read_text() for worker in workers]

    return run


def test_the_end_of_the_first_is_the_end_of_all(together):
    started = time.monotonic()
    decided, events, logs = together(EVENT % ("step", "a") + "; print('x')", EVENT % ("step", "b") + "\n" + SLEEP)
    assert decided == (0, 0)
    assert events == [{"event": "step", "text": "a"}]
    assert [line.split(" s  ")[-1] for line in logs[0].splitlines()] == ["a", "x"]
    assert time.monotonic() - started < 10


def test_another_may_end_before_it(together):
    decided, _events, _logs = together("import time; time.sleep(0.3)", "pass")
    assert decided == (0, 0)


@pytest.mark.parametrize("code", [3, 1])
def test_one_that_fails_ends_all(together, code):
    decided, _events, logs = together(SLEEP, f"import sys; print('why', file=sys.stderr); sys.exit({code})", SLEEP)
    assert decided == (1, code)
    assert logs[1] == "why\n"


def test_one_that_is_killed_ends_all(together):
    decided, _events, _logs = together(SLEEP, "import os; os.kill(os.getpid(), 9)")
    assert decided == (1, -9)


def test_why_another_refused_is_told(together):
    decided, events, _logs = together(SLEEP, EVENT % ("refused", "no") + "; raise SystemExit(2)")
    assert decided == (1, 2)
    assert events == [{"event": "refused", "text": "no"}]


def test_ctrl_c_ends_all(together):
    def interrupt(_event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        together(EVENT % ("step", "a") + "\n" + SLEEP, SLEEP, on_event=interrupt)


def test_one_that_cannot_be_started_ends_those_before_it(together, tmp_path, monkeypatch):
    theirs, starts = Children.start, []

    def start(children, command, **options):
        starts.append(command)
        if len(starts) == 2:
            raise FileNotFoundError
        return theirs(children, command, **options)

    monkeypatch.setattr(Children, "start", start)
    with pytest.raises(FileNotFoundError):
        together(SLEEP, SLEEP)
    assert len(list(tmp_path.glob("logs/*"))) == 2


def test_each_knows_all_and_its_own_number():
    told = json.loads(cluster(["a:1", "b:1"], 1))
    assert told == {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
