"""bertbuild.api in this process, over small checkpoints, with stages that are only played."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from event_schema import check
from host_doubles import Events
from small_fleet import MODELS, TARGETS, write_tiny

from bertbuild import api
from bertbuild.api import Checkpoint, Frozen, FrozenGraph, Ir, Model, Project, SavedModelFolder, Tf2, Tf2SavedModel
from bertbuild.backends import BACKENDS
from bertbuild.cli.call import run as run_line
from bertbuild.commands.session import Session
from bertbuild.errors import BuildFailedError, CheckpointError, ParityError, UsageError
from bertbuild.plans.wanted import Wanted

OF_A_RUN = ("expects", "run", "program", "seconds", "memory")


@pytest.fixture
def folder(isolation, monkeypatch, tmp_path):
    """A folder with two checkpoints and a build file, where stages are played."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    for seed, name in enumerate(("one", "two")):
        write_tiny(tmp_path / "checkpoints" / name, seed)
    (tmp_path / "bertbuild.toml").write_text(TARGETS + MODELS)
    return tmp_path


def test_a_target_is_built_then_up_to_date_verified_and_told(folder, isolation, capsys):
    project = Project(artifacts="artifacts")
    built = project.build(Checkpoint("checkpoints/one"), Ir(precision="fp32,fp16"))
    assert (built.model, [target.target for target in built.targets]) == ("one", ["ir-fp32", "ir-fp16"])
    fp32 = built.targets[0]
    assert fp32.path == folder / "artifacts" / "out" / "one" / "ir-fp32"
    assert (fp32.path / "model.xml").is_file()
    assert (fp32.verified, fp32.max_abs, fp32.references) == (True, 0.0, ("TensorFlow 1.15.5",))
    runs = len(isolation.runs)
    assert project.build(Checkpoint("checkpoints/one"), Ir(precision="fp32,fp16")) == built
    assert len(isolation.runs) == runs
    assert {target.target for target in project.verify().verified} == {"ir-fp32", "ir-fp16"}
    status = {target.target: target.state for target in project.status().targets if target.model == "one"}
    assert status["ir-fp32"] == "built"
    assert [log.stage for log in project.log("one/ir-fp32").logs] != []
    assert project.verify_store().problems == ()
    assert project.gc(dry_run=True).dry_run
    out, err = capsys.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.usefixtures("folder")
def test_a_request_of_tensorflow_2_gives_a_converted_model():
    converted = Project().build(Checkpoint("checkpoints/one"), Tf2SavedModel())
    assert (converted.model, converted.target, converted.path.is_dir()) == ("one", "tf2-savedmodel", True)
    with pytest.raises(UsageError, match="Name one source"):
        Project().build(Checkpoint(""), Tf2())


@pytest.mark.usefixtures("folder")
def test_a_build_file_is_shown_built_and_explained():
    project = Project()
    assert sum(project.dry_run().counts["targets"].values()) == 4
    built = project.build_file("one")
    assert {(target.model, target.state) for target in built.targets} == {("one", "built")}
    assert {target.state for target in project.build_file("one").targets} == {"up to date"}
    assert project.dry_run("one").plan == ()
    assert {target["state"] for target in project.why("one").targets} == {"up to date"}
    assert project.graph("one", format="dot").text.startswith("digraph")
    assert project.report().path.is_file()


def test_what_a_listener_gets_is_what_json_writes(folder, capsys):
    events = Events()
    built = Project(artifacts="a", jobs=1, listener=events).build(Checkpoint("checkpoints/one"), Frozen())
    handler = signal.getsignal(signal.SIGTERM)
    try:
        words = ["bertbuild", "freeze", "--checkpoint=checkpoints/one", "--json"]
        folder.joinpath("bertbuild.toml").write_text('artifacts = "b"\njobs = 1\n')
        run_line(words)
    finally:
        signal.signal(signal.SIGTERM, handler)
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(map(kept, events)) == list(map(kept, written))
    result = events[-1]
    assert {name: value for name, value in result.items() if name not in ("event", "lines")} == built.facts()


def kept(event):
    """An event without what two runs and two stores differ in."""
    text = json.dumps({key: value for key, value in event.items() if key not in OF_A_RUN}, sort_keys=True)
    return text.replace("/b/", "/a/").replace("b/out", "a/out")


@pytest.mark.usefixtures("folder")
def test_errors_are_raised_and_told_and_end_no_process(isolation, capsys):
    events = Events()
    project = Project(listener=events)
    with pytest.raises(CheckpointError) as error:
        project.inspect(Checkpoint("nowhere"))
    assert error.value.exit_code == 4
    assert (events[-1]["event"], events[-1]["message"]) == ("error", str(error.value))
    isolation.offset = 1.0
    with pytest.raises(ParityError):
        project.build(Checkpoint("checkpoints/one"), Ir())
    with pytest.raises(BuildFailedError) as failed:
        project.build_file()
    assert all(isinstance(failure, ParityError) for failure in failed.value.failures)
    with pytest.raises(UsageError, match="--isolation must be one of"):
        Project(isolation="podman").status()
    with pytest.raises(UsageError, match="--jobs must be"):
        Project(jobs=-1).status()
    for event in events:
        check(event)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("folder")
def test_ctrl_c_is_ctrl_c_and_the_next_call_goes_on():
    events = Events()

    def listen(event):
        events.append(event)
        if event["event"] == "stage" and event["state"] == "done":
            raise KeyboardInterrupt

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt):
        Project(listener=listen, jobs=1).build(Checkpoint("checkpoints/one"), Frozen())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert (events[-1]["error"], events[-1]["exit_code"]) == ("Interrupted", 130)
    built = Project().build(Checkpoint("checkpoints/one"), Frozen())
    assert built.targets[0].verified


@pytest.mark.usefixtures("folder")
def test_two_threads_use_one_project():
    project, found = Project(jobs=1), {}

    def build(name):
        found[name] = project.build(Checkpoint(f"checkpoints/{name}"), Frozen()).model

    threads = [threading.Thread(target=build, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"one": "one", "two": "two"}


def test_sources_are_what_flags_name(tmp_path):
    assert Checkpoint(tmp_path, scope="a", ema=True).wanted("x") == Wanted(
        checkpoint=str(tmp_path), scope="a", ema=True, name="x"
    )
    assert Model("minilm-l6").wanted("") == Wanted(model="minilm-l6")
    assert FrozenGraph("g.pb", outputs="a:b").wanted("") == Wanted(frozen="g.pb", outputs="a:b")
    assert SavedModelFolder("s").wanted("") == Wanted(saved_model="s")


@pytest.mark.usefixtures("folder")
def test_the_catalogue_is_told():
    project = Project()
    assert "minilm-l6" in {alias for model in project.models() for alias in (model.name, *model.aliases)}
    assert "MRPC" in {dataset.name for dataset in project.datasets()}
    with pytest.raises(UsageError, match="Name what to fetch"):
        project.fetch()
    assert project.schema().schema["$schema"]


def test_importing_it_costs_next_to_nothing():
    program = "import sys, bertbuild.api; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert loaded & {"numpy", "tensorflow", "openvino", "docker", "rich", "invoke", "jinja2", "asyncio"} == set()
    rooms = ("commands", "engine", "kinds", "plans", "store", "source", "cli")
    assert [
        name for name in loaded if name.split(".")[1:2] and name.split(".")[1] in rooms and "bertbuild" in name
    ] == []


@pytest.mark.parametrize("name", api.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(api, name) is not None


def test_where_a_name_is_looked_for_is_where_types_say_it_is():
    tree = ast.parse(Path(api.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {name: f"bertbuild.{place}" for name, place in api._PLACES.items()} == typed


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'Caffe'"):
        _ = api.Caffe
