"""Stages forked from a process that has imported a package: decimal stands for one that takes long."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import signal
import sys
import threading
from pathlib import Path

import pytest
from host_doubles import alive, exit_code, in_child, wait_until

from bertbuild import stages
from bertbuild.backends import BACKENDS
from bertbuild.errors import Interrupted, StageError, StageKilledForMemoryError
from bertbuild.isolation import fork_server, forking, venv
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.venv import VenvIsolation
from bertbuild.project import ROOT

IMPORTS = "import json, os, sys, time\nimport decimal\n"
SEEN = (
    IMPORTS
    + """
told = {name: os.environ.get(name) for name in ('HOME', 'TMPDIR', 'PYTHONPATH', 'BERTBUILD_PARENT', 'PYTHONHASHSEED')}
told.update(event='seen', argv=sys.argv, path=sys.path, cwd=os.getcwd(), hash=hash('a'), name=__name__)
told.update(leads=os.getsid(0) == os.getpid(), parent=os.getppid(), pid=os.getpid(), stdin=sys.stdin.read())
told.update(files=sorted(os.readlink('/proc/self/fd/' + n).split(':')[0] for n in ('0', '1', '2')))
told.update(open=len(os.listdir('/proc/self/fd')), handlers=str(__import__('signal').getsignal(17)))
print(json.dumps(told), flush=True)
"""
)
SLEEPS = IMPORTS + "print(json.dumps({'event': 'here', 'pid': os.getpid()}), flush=True)\ntime.sleep(60)\n"


class Environments:
    """Runs stages whose module is given, each in a folder of its own."""

    def __init__(self, folder, isolation):
        self.folder, self.isolation = folder, isolation
        self._numbers = itertools.count(1)

    def run(self, source, on_event=None, **more):
        """The events of a stage."""
        number = next(self._numbers)
        name = f"toy_{number}"
        (self.folder / "docker" / "data" / "stages" / f"{name}.py").write_text(source)
        work = self.folder / f"work {number}"
        (work / "out").mkdir(parents=True)
        events = []
        run = StageRun(
            backend="data",
            stage=name.replace("_", "-"),
            inputs={"given": self.folder / "in put"},
            params={"key": "k"},
            work=work,
            log=self.folder / f"{name}.log",
            **more,
        )
        self.isolation.run(run, on_event or events.append)
        return events

    @property
    def server(self):
        """The only server that was started."""
        (server,) = self.isolation._servers._servers.values()
        return server


@pytest.fixture
def environments(tmp_path, monkeypatch):
    (tmp_path / "docker" / "data" / "stages").mkdir(parents=True)
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    row = dataclasses.replace(BACKENDS["data"], slow_imports=("decimal",), import_variables=(("TOY", "1"),))
    monkeypatch.setitem(BACKENDS, "data", row)
    isolation = VenvIsolation(tmp_path / "environments")
    python = isolation._path("data") / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    yield Environments(tmp_path, isolation)
    isolation.end()


@pytest.fixture
def cold(environments, monkeypatch):
    """Runs a stage of the same that starts by itself."""

    def run(source, **more):
        with monkeypatch.context() as patch:
            patch.setattr(forking.ForkServers, "fork_of", lambda *_args, **_more: None)
            return environments.run(source, **more)

    return run


def test_two_stages_are_forked_from_one_process(environments):
    (first,), (second,) = environments.run(SEEN), environments.run(SEEN)
    assert first["parent"] == second["parent"] == environments.server._process.pid
    assert first["pid"] != second["pid"]


def test_a_stage_that_was_expected_is_forked_from_what_was_begun_then(environments, monkeypatch):
    monkeypatch.setattr(environments.isolation, "is_ready", lambda _backend: True)
    stages_folder = environments.folder / "docker" / "data" / "stages"
    (stages_folder / "toy_1.py").write_text(SEEN)
    environments.isolation.expect("data", "data", "toy-1")
    begun = environments.server
    (seen,) = environments.run(SEEN)
    assert environments.server is begun
    assert seen["parent"] == begun._process.pid


def test_nothing_is_begun_for_a_stage_that_imports_nothing_slow(environments, monkeypatch):
    monkeypatch.setattr(environments.isolation, "is_ready", lambda _backend: True)
    (environments.folder / "docker" / "data" / "stages" / "toy_1.py").write_text("import json\n")
    environments.isolation.expect("data", "data", "toy-1")
    assert environments.isolation._servers._servers == {}


def test_nothing_is_begun_in_an_environment_that_is_not_made(environments):
    environments.isolation.expect("data", "data", "toy-1")
    assert environments.isolation._servers is None


def test_a_forked_stage_finds_itself_as_one_that_starts_by_itself(environments, cold):
    (forked,), (started,) = environments.run(SEEN), cold(SEEN)
    other = {"pid", "parent", "BERTBUILD_PARENT"}
    one, two = (
        {name: json.loads(re.sub(r"(work |toy[_-])\d", r"\1N", json.dumps(seen[name]))) for name in seen.keys() - other}
        for seen in (forked, started)
    )
    assert one == two
    assert forked["BERTBUILD_PARENT"] == str(forked["parent"])
    assert started["parent"] == os.getpid()


def test_modules_imported_before_are_there_and_those_of_the_stage_are_its_own(environments):
    source = IMPORTS + "from stages import _ours\nprint(json.dumps({'event': 'ours', 'value': _ours.VALUE}))\n"
    ours = environments.folder / "docker" / "data" / "stages" / "_ours.py"
    for value in (1, 2):
        ours.write_text(f"VALUE = {value}\n" + "# " * value)
        assert environments.run(source) == [{"event": "ours", "value": value}]


def test_a_stage_that_imports_nothing_that_takes_long_starts_by_itself(environments):
    (seen,) = environments.run(SEEN.replace("import decimal\n", ""))
    assert seen["parent"] == os.getpid()
    assert environments.isolation._servers._servers == {}


@pytest.mark.parametrize("more", [{"unfinished": True}, {"workers": 2}])
def test_training_and_workers_start_by_themselves(environments, more):
    more = {name: environments.folder / "unfinished" if value is True else value for name, value in more.items()}
    parents = {event["parent"] for event in environments.run(SEEN, **more)}
    assert parents == {os.getpid()}


def test_stages_whose_variables_differ_share_no_server(environments, monkeypatch):
    (first,) = environments.run(SEEN)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (second,) = environments.run(SEEN)
    assert first["parent"] != second["parent"]


CRASHES = {
    "os.abort()": (-signal.SIGABRT, StageError, "failed with exit code -6 (SIGABRT)"),
    "os.kill(os.getpid(), 11)": (-signal.SIGSEGV, StageError, "failed with exit code -11 (SIGSEGV)"),
    "os.kill(os.getpid(), 9)": (-signal.SIGKILL, StageKilledForMemoryError, "was killed (SIGKILL)"),
    "os.kill(os.getpid(), 15)": (-signal.SIGTERM, StageError, "was ended from outside (SIGTERM)"),
    "sys.exit(3)": (3, StageError, "failed with exit code 3"),
    "1 / 0": (1, StageError, "failed with exit code 1"),
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_ends_that_stage_alone_in_the_words_of_one_that_starts_by_itself(environments, cold, crash):
    _, kind, words = CRASHES[crash]
    source = IMPORTS + f"print('last words', flush=True)\n{crash}\n"
    beside = threading.Thread(target=environments.run, args=(IMPORTS + "time.sleep(0.5)\nopen('../done', 'w')\n",))
    beside.start()
    folder = wait_until(lambda: next(iter(environments.folder.glob("work 1/code")), None))
    errors = []
    for run in (environments.run, cold):
        with pytest.raises(kind, match=re.escape(words)) as raised:
            run(source)
        errors.append(raised.value)
    assert [re.sub(r"toy-\d", "toy-N", str(error)) for error in errors] == [
        re.sub(r"toy-\d", "toy-N", str(errors[0]))
    ] * 2
    assert all("last words" in error.details for error in errors)
    beside.join()
    assert (folder.parent / "done").exists()
    assert environments.run(SEEN)[0]["parent"] == environments.server._process.pid


def test_what_ends_the_wait_ends_the_stage_and_what_it_started(environments):
    source = SLEEPS.replace("time.sleep", "import subprocess\nsubprocess.run(['sleep', '60'])\ntime.sleep")
    pids = []

    def stop(event):
        pids.append(event["pid"])
        wait_until(lambda: Path(f"/proc/{event['pid']}/task/{event['pid']}/children").read_text())
        pids.extend(map(int, Path(f"/proc/{event['pid']}/task/{event['pid']}/children").read_text().split()))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        environments.run(source, stop)
    assert len(pids) == 2
    wait_until(lambda: not any(map(alive, pids)))
    assert environments.run(SEEN)[0]["parent"] == environments.server._process.pid


def test_the_end_of_all_ends_stages_and_server(environments):
    pids, errors = [], []

    def run():
        try:
            environments.run(SLEEPS, lambda event: pids.append(event["pid"]))
        except StageError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: pids)
    server = environments.server._process.pid
    environments.isolation.end()
    thread.join(10)
    wait_until(lambda: not alive(pids[0]) and not alive(server))
    assert "SIGTERM" in str(errors[0])
    with pytest.raises(Interrupted):
        environments.run(SEEN)


def test_who_waits_for_the_imports_is_let_go_by_the_end(environments, monkeypatch):
    slow = environments.folder / "slow"
    slow.mkdir()
    (slow / "toy_slow.py").write_text("import time\ntime.sleep(60)\n")
    row = dataclasses.replace(BACKENDS["data"], slow_imports=("toy_slow",))
    monkeypatch.setitem(BACKENDS, "data", row)
    monkeypatch.setattr(venv, "SITE", slow)
    errors = []

    def run():
        try:
            environments.run("import toy_slow\n")
        except Interrupted as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: getattr(environments.isolation._servers, "_servers", {}) and environments.server._process)
    environments.isolation.end()
    thread.join(10)
    assert not thread.is_alive()
    assert len(errors) == 1


def test_after_the_death_of_a_server_the_next_stage_starts_all_the_same(environments):
    (first,) = environments.run(SEEN)
    os.kill(first["parent"], signal.SIGKILL)
    (second,) = environments.run(SEEN)
    assert second["parent"] != first["parent"]


def test_a_stage_whose_server_dies_is_told_as_killed(environments):
    def kill(event):
        os.kill(int(Path(f"/proc/{event['pid']}/status").read_text().split("PPid:")[1].split()[0]), signal.SIGKILL)

    with pytest.raises(StageKilledForMemoryError):
        environments.run(SLEEPS, kill)
    assert environments.run(SEEN)


def test_stages_and_server_die_with_their_host(environments):
    told = environments.folder / "pids"

    def host():
        environments.run(SLEEPS, lambda event: told.write_text(f"{event['pid']} {environments.server._process.pid}"))

    child = in_child(host)
    pids = wait_until(lambda: told.exists() and [int(pid) for pid in told.read_text().split()])
    assert all(map(alive, pids))
    os.kill(child, signal.SIGKILL)
    exit_code(child)
    wait_until(lambda: not any(map(alive, pids)))


def test_packages_that_cannot_be_imported_are_told_by_the_stage_itself(environments, monkeypatch):
    row = dataclasses.replace(BACKENDS["data"], slow_imports=("decimal_missing",))
    monkeypatch.setitem(BACKENDS, "data", row)
    started = []
    init = forking._Server.__init__
    monkeypatch.setattr(forking._Server, "__init__", lambda *args: (started.append(1), init(*args))[1])
    for _ in range(2):
        with pytest.raises(StageError) as raised:
            environments.run("import decimal_missing\n")
        assert "No module named 'decimal_missing'" in raised.value.details
    assert len(started) == 1, "it is tried once"


def test_a_package_that_keeps_a_thread_is_not_forked(environments, monkeypatch):
    threads = environments.folder / "threads"
    threads.mkdir()
    (threads / "toy_thread.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    row = dataclasses.replace(BACKENDS["data"], slow_imports=("toy_thread",))
    monkeypatch.setitem(BACKENDS, "data", row)
    monkeypatch.setattr(venv, "SITE", threads)
    (seen,) = environments.run(SEEN.replace("import decimal", "import toy_thread"))
    assert seen["parent"] == os.getpid()


def test_where_no_process_can_be_forked_the_stage_starts_by_itself_and_others_go_on(environments, monkeypatch):
    script = environments.folder / "fork_server.py"
    source = Path(fork_server.__file__).read_text()
    assert source.count("            child = os.fork()\n") == 1
    failing = "            child = os.fork() if not self._told else os.stat('/nowhere')\n"  # an OSError
    script.write_text(source.replace("            child = os.fork()\n", failing))
    monkeypatch.setattr(fork_server, "__file__", str(script))
    parents = []

    def beside(event):
        parents.append(event["parent"])
        (seen,) = environments.run(SEEN)
        parents.append(seen["parent"])

    environments.run(SEEN + "time.sleep(0.5)\nopen('../done', 'w')\n", beside)
    assert parents == [environments.server._process.pid, os.getpid()]
    assert (environments.folder / "work 1" / "done").exists()


def test_a_server_without_work_ends_and_another_comes(environments, monkeypatch):
    script = environments.folder / "fork_server.py"
    script.write_text(Path(fork_server.__file__).read_text().replace("IDLE_SECONDS = 30.0", "IDLE_SECONDS = 0.1"))
    monkeypatch.setattr(fork_server, "__file__", str(script))
    (first,) = environments.run(SEEN)
    wait_until(lambda: not alive(first["parent"]))
    (second,) = environments.run(SEEN + "time.sleep(0.5)\n")
    assert second["parent"] != first["parent"]


def test_stages_at_once_are_told_apart(environments):
    environments.run(SEEN)
    found = {}

    def run(code):
        wanted = f"time.sleep(0.2)\nprint(json.dumps({{'event': 'n', 'n': {code}}}), flush=True)\nsys.exit({code})\n"
        events = []
        with pytest.raises(StageError) as raised:
            environments.run(IMPORTS + wanted, events.append)
        found[code] = (events, str(raised.value))

    threads = [threading.Thread(target=run, args=(code,)) for code in range(3, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for code in range(3, 7):
        events, message = found[code]
        assert events == [{"event": "n", "n": code}]
        assert message.endswith(f"failed with exit code {code}.")


def test_backends_set_before_an_import_what_their_stages_set():
    """What TensorFlow reads when it is imported is what the stage would have set."""
    read_later = {"CUDA_VISIBLE_DEVICES"}
    for backend in ("tf1", "tf2"):
        declared = dict(BACKENDS[backend].import_variables)
        for path in (ROOT / "docker" / backend / "stages").glob("*.py"):
            for name, value in re.findall(r'environ\.setdefault\("(\w+)", "([^"]*)"\)', path.read_text()):
                assert name in read_later or declared[name] == value, path
