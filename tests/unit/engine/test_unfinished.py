"""What a resumable stage leaves behind when it is ended: kept, given to the next run of the same key, then removed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from host_doubles import exit_code, in_child

from bertbuild.engine.engine import Engine
from bertbuild.errors import StageError
from bertbuild.isolation import compose, docker_engine, venv
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.isolation.venv import VenvIsolation
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.stages import STAGES
from bertbuild.store.store import Store


@pytest.fixture
def plan(source):
    def make(**params):
        data = File(path=source.file.path, digest="d")
        step = Step(id="finetune", stage="finetune", inputs={"checkpoint": source.file, "data": data}, params=params)
        return Plan(model="toy", steps=(step,))

    return make


@pytest.fixture
def trains(isolation):
    """A stage that adds a line to what it keeps, and fails until there are three; gives the folders it was given."""
    given = []

    def behaviour(run):
        given.append(run.unfinished)
        kept = run.unfinished / "steps"
        lines = [*(kept.read_text().split() if kept.exists() else []), "step"]
        kept.write_text("\n".join(lines))
        if len(lines) < 3:
            raise StageError("killed")
        for name in (*STAGES["finetune"].outputs, "stage.json"):
            (run.work / "out" / name).write_text(f"{len(lines)} steps")

    isolation.behaviour["finetune"] = behaviour
    return given


def kept_by(store):
    return sorted(path.name for path in (store.root / "unfinished").glob("*/*"))


def test_a_stage_that_failed_is_given_what_it_kept_until_there_is_a_result(engine, plan, store, trains):
    for _ in range(2):
        with pytest.raises(StageError, match="killed"):
            engine.run(plan())
        assert len(kept_by(store)) == 1
    stored = engine.run(plan())["finetune"]
    assert (stored.path / "task.json").read_text() == "3 steps"
    assert len(set(trains)) == 1
    assert trains[0].name == stored.key
    assert kept_by(store) == []


def test_another_key_has_a_folder_of_its_own(engine, plan, store, trains):
    for seed in "12":
        with pytest.raises(StageError):
            engine.run(plan(seed=seed))
    assert len(set(trains)) == len(kept_by(store)) == 2
    engine_again = Engine(store, engine._isolation, lambda _event: None)
    with pytest.raises(StageError):
        engine_again.run(plan(seed="1"))
    engine_again.run(plan(seed="1"))
    assert kept_by(store) == [trains[1].name], "what the other kept stays"


def test_a_killed_host_loses_nothing_of_it(root, engine, plan, isolation, trains):
    behaviour = isolation.behaviour["finetune"]

    def killed(run):
        try:
            behaviour(run)
        finally:
            os.kill(os.getpid(), signal.SIGKILL)

    isolation.behaviour["finetune"] = killed
    assert exit_code(in_child(lambda: engine.run(plan()))) == -9
    isolation.behaviour["finetune"] = behaviour
    store = Store(root)  # removes what crashed runs left in work/
    assert len(kept_by(store)) == 1
    with pytest.raises(StageError):
        engine.run(plan())
    assert (trains[0] / "steps").read_text().split() == ["step", "step"]


def test_a_stage_that_is_not_resumable_is_given_no_folder(engine, source, store, isolation):
    step = Step(id="freeze", stage="freeze", inputs={"checkpoint": source.file})
    seen = []

    def behaviour(run):
        seen.append(run.unfinished)
        for name in (*STAGES["freeze"].outputs, "stage.json"):
            (run.work / "out" / name).write_text("x")

    isolation.behaviour["freeze"] = behaviour
    engine.run(Plan(model="toy", steps=(step,)))
    assert seen == [None]
    assert kept_by(store) == []


def test_forgetting_what_was_never_kept_is_nothing(store):
    store.forget_unfinished("finetune", "k")
    folder = store.unfinished("finetune", "k")
    assert folder.is_dir()
    assert store.unfinished("finetune", "k") == folder
    (folder / "deep").mkdir()
    (folder / "deep").chmod(0o500)
    store.forget_unfinished("finetune", "k")
    assert not folder.exists()


@pytest.fixture
def stage_run(tmp_path):
    (tmp_path / "work" / "out").mkdir(parents=True)
    kept = tmp_path / "kept here"
    kept.mkdir()

    def make(unfinished):
        return StageRun(
            backend="tf1",
            stage="finetune",
            inputs={},
            params={"seed": "1"},
            work=tmp_path / "work",
            log=tmp_path / "log",
            unfinished=kept if unfinished else None,
        )

    return make


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """The command lines of both isolations, which run nothing."""

    def run_logged(command, *, log, **_options):
        log.write_text("")
        seen.append(command)
        return 0

    seen = []
    for module in (compose, venv):
        monkeypatch.setattr(module, "run_logged", run_logged)
    end = docker_engine.ContainerEnd(exit_code=0, out_of_memory=False, memory_limit=0)
    monkeypatch.setattr(docker_engine, "container_end", lambda _name: end)
    monkeypatch.setattr(docker_engine, "remove_container", lambda _name: None)
    owned = []
    monkeypatch.setattr(compose.os, "chown", lambda path, uid, _gid, **_options: owned.append((Path(path).name, uid)))
    return SimpleNamespace(seen=seen, owned=owned, venv=VenvIsolation(tmp_path / "environments"))


@pytest.mark.parametrize("resumable", [True, False])
def test_a_virtual_environment_is_told_the_folder(commands, stage_run, resumable, tmp_path):
    commands.venv.run(stage_run(resumable), lambda _event: None)
    (command,) = commands.seen
    flags = [word for word in command if word.startswith("--")]
    wanted = [f"--unfinished={tmp_path}/kept here"] if resumable else []
    assert flags == ["--seed=1", *wanted, f"--out={tmp_path / 'work' / 'out'}"]


@pytest.mark.parametrize("resumable", [True, False])
def test_a_container_has_the_folder_mounted_to_be_written(commands, stage_run, resumable, tmp_path):
    ComposeIsolation().run(stage_run(resumable), lambda _event: None)
    (command,) = commands.seen
    mounted = [command[index + 1] for index, word in enumerate(command) if word == "--volume"]
    assert mounted == ([f"{tmp_path}/kept here:/unfinished"] if resumable else [])
    assert ("--unfinished=/unfinished" in command) == resumable
    assert command[-1] == "--out=/bertbuild/artifacts/out"
    if commands.owned:  # the tests run as root: a stage never does, so the folder is nobody's meanwhile
        times = 2 if resumable else 0
        assert [name for name, _ in commands.owned].count("kept here") == times


def test_the_stages_that_are_resumable_say_so_on_their_command_line():
    for spec in STAGES.values():
        path = Path(__file__).resolve().parents[3] / "docker" / spec.backend / "stages"
        module = path / (spec.command.replace("-", "_") + ".py")
        if module.exists():
            assert ('"unfinished"' in module.read_text()) == spec.resumable, json.dumps(spec.name)
