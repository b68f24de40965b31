"""A build that finds all as it was says again what an earlier one said; whatever changed, it looks at all."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from remote_doubles import keys_in
from small_fleet import MODELS, TARGETS, Fleet, write_tiny

from bertbuild.backends import BACKENDS
from bertbuild.buildfile.load import load_build_file
from bertbuild.commands import build as command
from bertbuild.commands import unchanged
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.engine.engine import Engine
from bertbuild.errors import StoreError
from bertbuild.report.run_log import RunLog
from bertbuild.store.past_runs import events_of
from bertbuild.store.store import Store

HOUR = 3600


class Known(Fleet):
    """A fleet that knows whether a build said again what an earlier one said."""

    said_again = False

    def look(self, *names, **more):
        """Build; whether it said again what was said before."""
        self.said_again = False
        self.made = self.build(*names, **more)
        return self.said_again

    def settle(self):
        """Build until nothing is looked at any more."""
        for _ in range(3):
            assert not self.look()

    def object(self, stage):
        """A result of a stage, which may be written from now on."""
        found = next(path for path in sorted((self.root / "objects" / stage).iterdir()))
        found.chmod(0o755)
        for path in found.iterdir():
            path.chmod(0o644)
        return found

    def digest(self):
        """Of all that what was kept depends on, as things are now; "" where nothing was kept."""
        session = self.session()
        file = load_build_file(self.folder / "bertbuild.toml")
        return unchanged.Unchanged(session, file)._before

    @property
    def kept(self):
        return self.root / "cache" / "unchanged.json"

    @property
    def root(self):
        return self.folder / "artifacts"

    @property
    def source(self):
        return self.folder / "checkpoints" / "one"


@pytest.fixture
def fleet(tmp_path, isolation, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    code = tmp_path / "code"
    (code / "docker" / "common").mkdir(parents=True)
    (code / "package").mkdir()
    (code / "package" / "parity.py").write_text("LIMIT = 1\n")
    (code / "docker" / "common" / "stage.py").write_text("STAGE = 1\n")
    (code / "compose.yaml").write_text("services: {}\n")
    monkeypatch.setattr(unchanged, "project", SimpleNamespace(PACKAGE_FOLDER=code / "package", ROOT=code))
    made = Known(tmp_path)
    again = Engine.say_again
    monkeypatch.setattr(Engine, "say_again", lambda *args: (setattr(made, "said_again", True), again(*args)))
    return made


def without_times(events):
    volatile = ("time", "run", "host", "memory")
    return [{name: value for name, value in event.items() if name not in volatile} for event in events]


def test_what_is_said_again_is_what_the_whole_look_said(fleet):
    fleet.settle()
    looked = sorted(map(str, without_times(fleet.events)))  # of two models side by side, in any order
    assert fleet.look()
    assert sorted(map(str, without_times(fleet.events))) == looked
    first, *_, last = sorted((fleet.root / "runs").iterdir(), key=lambda log: log.stat().st_mtime_ns)
    assert sorted(map(str, without_times(events_of(last)))) == looked
    times = [event["time"] for event in events_of(last)]
    assert times == sorted(times)
    assert times[0] > events_of(first)[-1]["time"]


def test_who_calls_the_function_gets_the_same_result(fleet):
    def built():
        fleet.said_again = False
        session = fleet.session()
        try:
            return command.build(session, load_build_file(fleet.folder / "bertbuild.toml"), keep_going=True)
        finally:
            session.close()
            session.report.close()

    fleet.build()
    looked = [built(), built()]
    assert not fleet.said_again
    assert built() == looked[0] == looked[1]
    assert fleet.said_again


def same_size(path):
    """Another byte, the same size and time."""
    before = path.stat()
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_link(path):
    away = path.with_name(f"{path.name}-away")
    path.rename(away)
    path.symlink_to(away)


SOURCE = {
    "another byte in the vocabulary": lambda one: same_size(one.source / "vocab.txt"),
    "other weights": lambda one: write_tiny(one.source, 9),
    "another configuration": lambda one: same_size(one.source / "bert_config.json"),
    "a task beside it": lambda one: (one.source / "task.json").write_text("{}"),
    "words on its text beside it": lambda one: (one.source / "tokenizer_config.json").write_text("{}"),
    "a file that is a link": lambda one: replaced_by_link(one.source / "vocab.txt"),
    "another byte behind the link": lambda one: same_size(one.source / "vocab.txt-away"),
    "no vocabulary": lambda one: (one.source / "vocab.txt").unlink(),
    "a folder that is a link": lambda one: replaced_by_link(one.source),
    "no checkpoint": lambda one: one.source.unlink(),
}
STORE = {
    "another byte in a result": lambda one: same_size(one.object("freeze") / "inference_graph.pb"),
    "a result's file is gone": lambda one: (one.object("ir-direct") / "model.xml").unlink(),
    "a result is gone": lambda one: shutil.rmtree(one.object("tf1-infer")),
    "more in a result": lambda one: (one.object("freeze") / "more").write_text(""),
    "a result's file is a link": lambda one: replaced_by_link(one.object("ir-direct") / "model.bin"),
    "another verdict": lambda one: same_size(one.object("parity") / "parity.json"),
    "another manifest": lambda one: same_size(one.object("parity") / "manifest.json"),
    "another inspection": lambda one: same_size(one.object("inspect") / "inspection.json"),
    "another record": lambda one: same_size(one.root / "targets" / "one" / "frozen.json"),
    "no record": lambda one: (one.root / "targets" / "one" / "frozen.json").unlink(),
    "a name that leads elsewhere": lambda one: (
        (one.root / "out" / "one" / "frozen").unlink(),
        (one.root / "out" / "one" / "frozen").symlink_to("../two/frozen"),
    ),
    "no name": lambda one: (one.root / "out" / "one" / "frozen").unlink(),
    "a folder in the place of a name": lambda one: (one.root / "out" / "one" / "frozen").mkdir(),
    "no names": lambda one: shutil.rmtree(one.root / "out"),
    "another note on a name": lambda one: same_size(one.root / "names" / "one" / "frozen.json"),
    "another model's note in its folder": lambda one: (one.root / "names" / "one" / "other.json").write_text("{}"),
    "other probes": lambda one: same_size(next((one.root / "probes").glob("*.json"))),
    "another place": lambda one: (one.root / "isolation").write_text("docker\n"),
}
SPOILT = {
    "no log": lambda one: [path.unlink() for path in (one.root / "runs").iterdir()],
    "half a log": lambda one: [os.truncate(path, 100) for path in (one.root / "runs").iterdir()],
    "half of what was kept": lambda one: os.truncate(one.kept, 100),
    "nothing kept": lambda one: one.kept.write_text("{}"),
    "an empty store": lambda one: shutil.rmtree(one.root),
}
CODE = {
    "a tolerance": lambda one: same_size(one.folder / "code" / "package" / "parity.py"),
    "a stage's code": lambda one: same_size(one.folder / "code" / "docker" / "common" / "stage.py"),
    "another stage": lambda one: (one.folder / "code" / "docker" / "common" / "more.py").write_text(""),
    "how stages are confined": lambda one: same_size(one.folder / "code" / "compose.yaml"),
}
FILE = {
    "another parameter": lambda one: one.write(TARGETS + "seq_len = 8\n" + MODELS),
    "one target less": lambda one: one.write(TARGETS.replace(', "fp16"', "") + MODELS),
    "one model less": lambda one: one.write(TARGETS + '[models.one]\ncheckpoint = "checkpoints/one"\n'),
    "another source": lambda one: one.write(TARGETS + MODELS.replace("checkpoints/two", "checkpoints/one")),
    "a hash recorded": lambda one: (one.folder / "models.lock.json").write_text("{}"),
}


@pytest.mark.parametrize("changes", [SOURCE, STORE, CODE, FILE], ids=["source", "store", "code", "file"])
def test_whatever_changes_is_seen(fleet, changes):
    fleet.settle()
    before = fleet.digest()
    assert before == json.loads(fleet.kept.read_text())["digest"]
    for what, change in changes.items():
        change(fleet)
        now = fleet.digest()
        assert now != before, f"{what} was not seen"
        before = now


@pytest.mark.parametrize("change", SPOILT)
def test_what_is_kept_of_a_spoilt_log_or_by_a_spoilt_file_counts_as_nothing(fleet, change):
    fleet.settle()
    SPOILT[change](fleet)
    assert fleet.digest() == ""
    assert not fleet.look()


@pytest.mark.parametrize("change", ["another byte in a result", "no name", "no record", "another verdict"])
def test_what_is_damaged_is_mended(fleet, change):
    fleet.settle()
    STORE[change](fleet)
    assert not fleet.look()
    links = {path.name: path.resolve() for path in (fleet.root / "out" / "one").iterdir()}
    assert links.keys() == {"frozen", "ir-fp32", "ir-fp16"}
    assert all(path.is_relative_to(fleet.root / "objects") and path.is_dir() for path in links.values())


def test_another_lock_is_seen(fleet, isolation):
    fleet.settle()
    isolation.lock = "lock-2"
    assert not fleet.look()
    assert fleet.made


def test_an_environment_that_is_gone_is_seen(fleet, isolation):
    fleet.settle()
    isolation.prepared.remove("tf1")
    assert not fleet.look()
    assert "tf1" in isolation.prepared


@pytest.mark.parametrize(
    ("name", "value"),
    [("instruction_set", "AVX2"), ("neuron_device", Path("/dev/neuron7"))],
)
def test_another_machine_is_seen(fleet, monkeypatch, name, value):
    fleet.settle()
    monkeypatch.setattr(unchanged, name, lambda: value)
    assert not fleet.look()


def test_another_command_line_is_seen(fleet, monkeypatch):
    fleet.settle()
    assert fleet.look()
    assert not fleet.look("one/frozen")
    assert [fleet.look() for _ in range(3)] == [False, False, True]
    monkeypatch.setenv("BERTBUILD_NEURON_DEVICE", "/dev/none")
    assert [fleet.look() for _ in range(2)] == [False, True]
    monkeypatch.setattr(sys, "argv", ["another"])
    assert [fleet.look() for _ in range(2)] == [False, True]


@pytest.mark.parametrize("more", [{"replace": True}, {"reference": "2.20"}, {"settings": {"offline": "true"}}])
def test_another_session_is_seen(fleet, monkeypatch, more):
    fleet.settle()
    settings = load_settings({"artifacts": str(fleet.root), "jobs": "1", **more.pop("settings", {})})
    report = RunLog(fleet.root / "runs", fleet.events)
    monkeypatch.setattr(fleet, "session", lambda: Session(settings=settings, report=report, **more))
    assert not fleet.look()


def test_a_build_that_was_stopped_between_is_seen(fleet, isolation):
    fleet.settle()
    kept = (fleet.source / "vocab.txt").read_bytes()
    stat = (fleet.source / "vocab.txt").stat()
    same_size(fleet.source / "vocab.txt")

    def stop(_run):
        raise KeyboardInterrupt

    isolation.behaviour["freeze"] = stop
    with pytest.raises(KeyboardInterrupt):
        fleet.look()
    (fleet.source / "vocab.txt").write_bytes(kept)
    os.utime(fleet.source / "vocab.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not fleet.look()
    assert fleet.made == []


def test_what_changes_while_a_build_looks_is_not_taken_for_what_it_looked_at(fleet, monkeypatch):
    fleet.look()
    keep = unchanged.Unchanged.keep

    def change_first(self, *args):
        (fleet.object("freeze") / "inference_graph.pb").unlink(missing_ok=True)
        keep(self, *args)

    monkeypatch.setattr(unchanged.Unchanged, "keep", change_first)
    fleet.look()
    monkeypatch.setattr(unchanged.Unchanged, "keep", keep)
    assert not fleet.look()
    assert any("freeze" in job or "frozen" in job for job in fleet.made)


def test_gc_finds_in_use_and_used_today_what_was_not_planned(fleet):
    fleet.settle()
    used = [path for path in (fleet.root / "objects").glob("*/*") if path.parent.name != "normalise"]
    for path in used:
        os.utime(path, (0, 0))
    session = fleet.session()
    fleet.said_again = False
    command.build(session, load_build_file(fleet.folder / "bertbuild.toml"), keep_going=True)
    assert fleet.said_again
    other = Store(fleet.root).uses
    assert all(other.elsewhere(str(path.relative_to(fleet.root))) for path in used)
    assert all(path.stat().st_mtime > HOUR for path in used)
    session.close()
    session.report.close()


def test_a_last_run_hours_ago_stands(fleet):
    fleet.settle()
    for path in (*(fleet.root / "objects").glob("*/*"), *(fleet.root / "targets").glob("*/*.json")):
        os.utime(path, (0, 0))
    for path in (fleet.root / "out").glob("*/*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    assert fleet.look()


def test_notes_and_warnings_are_said_again(fleet):
    (fleet.source / "vocab.txt").write_text("".join(f"w{i}\n" for i in range(30)))
    fleet.build()
    fleet.build()
    warnings = fleet.events.texts("warning")
    assert warnings
    fleet.build()
    assert fleet.look()
    assert fleet.events.texts("warning") == warnings


def test_every_stage_is_run_again_where_that_is_asked(fleet, isolation):
    fleet.settle()
    ran = len(isolation.runs)
    with pytest.raises(StoreError):  # what is played is no graph
        fleet.look(verify_reproducible=True)
    assert not fleet.said_again
    assert len(isolation.runs) > ran


def test_a_source_around_the_store_is_looked_at_each_time(fleet):
    write_tiny(fleet.folder, 5)
    fleet.write(TARGETS + '[models.one]\ncheckpoint = "."\n')
    assert [fleet.look() for _ in range(4)] == [False] * 4
    assert not (fleet.root / "cache" / "unchanged.json").exists()


def test_a_source_among_too_many_files_is_looked_at_each_time(fleet, monkeypatch):
    monkeypatch.setattr(unchanged, "MOST_FILES", 2)
    assert [fleet.look() for _ in range(4)] == [False] * 4


def test_a_store_that_cannot_be_written_is_looked_at(fleet, monkeypatch):
    def refuse(*_args):
        raise OSError

    monkeypatch.setattr(unchanged, "write_atomically", refuse)
    assert [fleet.look() for _ in range(4)] == [False] * 4


def test_results_that_the_remote_store_alone_has_count_by_the_notes_on_them(fleet, tmp_path, monkeypatch):
    key, trust = keys_in(tmp_path / "keys")
    given = {"jobs": "1", "remote": f"file://{tmp_path / 'remote'}", "remote_trust": trust, "fetch": "targets"}
    (tmp_path / "remote").mkdir()

    def session_in(store, **more):
        settings = load_settings({**given, "artifacts": str(tmp_path / store), **more})
        fleet.events.clear()
        return Session(settings=settings, report=RunLog(settings.artifacts / "runs", fleet.events))

    monkeypatch.setattr(fleet, "session", lambda: session_in("first", remote_write="true", remote_key=str(key)))
    assert not fleet.look()
    monkeypatch.setattr(fleet, "session", lambda: session_in("artifacts"))
    assert [fleet.look() for _ in range(4)] == [False, False, False, True]
    notes = sorted((fleet.root / "remote").rglob("*.json"))
    assert notes
    notes[0].unlink()
    assert not fleet.look()
