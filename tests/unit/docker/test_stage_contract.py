"""docker/common/stage.py, which runs inside the images, under the Python of the tests."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from host_doubles import alive, exit_code, in_child, wait_until

from bertbuild.project import ROOT

COMMON = ROOT / "docker" / "common"
PROGRAM = """
from stage import Stage, StageInputError, step, write_json
STAGE = Stage("toy", "A toy.")
STAGE.input("checkpoint", "a folder")
STAGE.input("meta-graph", "a folder", required=False)
STAGE.param("output", "which", default="pooled")

def run(args, report):
    step("reading")
    report.note("something odd")
    report.packages = {"numpy": "1"}
    report.inputs = {"input_ids": {"dtype": "int32", "shape": [-1, -1]}}
    report.facts = {"output": args.output, "meta": args.meta_graph}
    write_json(args.out, "signature.json", {"b": 1, "a": [2]})
    if args.output == "refuse":
        raise StageInputError("the checkpoint has no such output")
    if args.output == "crash":
        raise ValueError("a bug")

STAGE.main(run)
"""


@pytest.fixture
def toy(tmp_path):
    """Runs the toy stage with flags."""
    (tmp_path / "toy.py").write_text(PROGRAM)
    (tmp_path / "in").mkdir()

    def run(*flags, **environ):
        return subprocess.run(
            [sys.executable, str(tmp_path / "toy.py"), *flags],
            env={"PYTHONPATH": str(COMMON), **environ},
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    return run


def events(run):
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_stage_writes_its_facts_and_says_what_it_does(toy, tmp_path):
    started = time.time()
    run = toy("--checkpoint=in", "--out=out", "--key=k1")
    assert (run.returncode, run.stderr) == (0, "")
    assert events(run) == [{"event": "step", "text": "reading"}, {"event": "note", "text": "something odd"}]
    facts = json.loads((tmp_path / "out" / "stage.json").read_text())
    seconds, cpu, memory = (facts.pop(name) for name in ("seconds", "cpu_seconds", "peak_memory_bytes"))
    assert facts == {
        "stage": "toy",
        "key": "k1",
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "packages": {"numpy": "1"},
        "inputs": {"input_ids": {"dtype": "int32", "shape": [-1, -1]}},
        "outputs": {},
        "operators": {},
        "notes": ["something odd"],
        "facts": {"output": "pooled", "meta": None},
    }
    assert 0 <= seconds <= time.time() - started
    assert 0 <= cpu < 5
    assert 2**20 < memory < 2**30
    assert (tmp_path / "out" / "signature.json").read_text() == '{\n "a": [\n  2\n ],\n "b": 1\n}\n'


def test_a_missing_input_is_refused_in_one_sentence(toy, tmp_path):
    run = toy("--checkpoint=nowhere", "--out=out")
    assert (run.returncode, run.stderr) == (2, "toy: --checkpoint=nowhere does not exist\n")
    assert not (tmp_path / "out").exists()


def test_the_name_of_a_flag_is_told_as_it_is_typed(toy):
    assert "--meta-graph=nowhere does not exist" in toy("--checkpoint=in", "--meta-graph=nowhere", "--out=out").stderr


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(toy, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("mine")
    run = toy("--checkpoint=in", "--out=out")
    assert (run.returncode, run.stderr) == (2, "toy: --out=out is not empty; a stage writes into an empty folder\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(toy, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = toy("--checkpoint=in", "--out=file/out")
    assert done.returncode == 2
    assert "--out=file/out cannot be made" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "flags", [[], ["--checkpoint=in"], ["--out=out"], ["--checkpoint=in", "--out=out", "--wrong=1"]]
)
def test_a_wrong_command_line_is_refused_with_the_usage(toy, flags):
    run = toy(*flags)
    assert run.returncode == 2
    assert run.stderr.startswith("usage: toy [-h] --out FOLDER")


def test_a_stage_that_refuses_its_input_says_so_without_a_traceback(toy, tmp_path):
    run = toy("--checkpoint=in", "--out=out", "--output=refuse")
    assert (run.returncode, run.stderr) == (2, "toy: the checkpoint has no such output\n")
    assert not (tmp_path / "out" / "stage.json").exists()


def test_a_stage_that_crashes_keeps_its_traceback(toy, tmp_path):
    run = toy("--checkpoint=in", "--out=out", "--output=crash")
    assert run.returncode == 1
    assert "Traceback (most recent call last)" in run.stderr
    assert run.stderr.endswith("ValueError: a bug\n")
    assert not (tmp_path / "out" / "stage.json").exists()


def test_a_stage_dies_with_the_host_that_started_it(tmp_path):
    told = tmp_path / "pid"
    program = (
        "import os, pathlib, time, stage; stage.end_with_parent(); "
        f"pathlib.Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )

    def host():
        environ = {"PYTHONPATH": str(COMMON), "BERTBUILD_PARENT": str(os.getpid())}
        subprocess.run([sys.executable, "-c", program], env=environ, check=False)

    child = in_child(host)
    pid = wait_until(lambda: told.exists() and told.read_text())
    assert alive(pid)
    os.kill(child, signal.SIGKILL)
    assert exit_code(child) == -signal.SIGKILL
    wait_until(lambda: not alive(pid))


def test_a_stage_whose_host_is_gone_before_it_starts_does_nothing(toy, tmp_path):
    run = toy("--checkpoint=in", "--out=out", BERTBUILD_PARENT="1")
    assert run.returncode == 2
    assert not (tmp_path / "out").exists()


def test_a_stage_started_by_its_host_runs(toy):
    assert toy("--checkpoint=in", "--out=out", BERTBUILD_PARENT=str(os.getpid())).returncode == 0


@pytest.mark.parametrize("content", [None, "{", "\udcff"])
def test_a_broken_json_file_is_refused_by_its_name(tmp_path, monkeypatch, content):
    monkeypatch.syspath_prepend(COMMON)
    import stage

    if content is not None:
        (tmp_path / "x.json").write_text(content, errors="surrogateescape")
    with pytest.raises(stage.StageInputError, match=r"cannot read .*x\.json"):
        stage.read_json(str(tmp_path), "x.json")


@pytest.mark.parametrize("path", sorted((ROOT / "docker").glob("*/*.py")), ids=lambda path: path.name)
def test_shared_code_is_python_3_6(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))


def test_run_stage_lists_the_stages_it_has(tmp_path):
    (tmp_path / "stages").mkdir()
    for name in ("__init__", "_helper", "build_it"):
        (tmp_path / "stages" / f"{name}.py").write_text("print('ran', __name__)")
    environ = {"PYTHONPATH": f"{COMMON}:{tmp_path}"}

    def run(*words):
        command = [sys.executable, str(Path(COMMON) / "run_stage.py"), *words]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert run("build-it").stdout.endswith("ran __main__\n")
    for words in ((), ("_helper",), ("nothing",)):
        refused = run(*words)
        assert refused.returncode == 2
        assert refused.stderr.endswith("the stages of this image: build-it\n")


def test_run_stage_runs_a_stage_of_another_backend_from_that_ones_folder(tmp_path):
    """An image that carries another backend's code: both have a stage `infer`, and helpers of one name."""
    shutil.copyfile(Path(COMMON) / "run_stage.py", tmp_path / "run_stage.py")
    for folder in ("stages", "tf1/stages"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").touch()
        (tmp_path / folder / "_helper.py").write_text(f"FOLDER = {folder!r}")
        (tmp_path / folder / "infer.py").write_text(
            "import sys; from stages import _helper; print(_helper.FOLDER, sys.argv[1:])"
        )

    def run(*words):
        command = [sys.executable, "-m", "run_stage", *words]
        environ = {"PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd="/")

    assert run("infer", "--a=b").stdout == "stages ['--a=b']\n"
    assert run("tf1/infer", "--a=b").stdout == "tf1/stages ['--a=b']\n"
    assert run("tf2/infer").stderr.endswith("the stages of this image: infer, tf1/infer\n")


def test_architecture_names_every_event_of_a_stage_once():
    code = "\n".join(path.read_text() for path in (ROOT / "docker").rglob("*.py"))
    lines = (ROOT / "docs" / "architecture.md").read_text().splitlines()
    (told,) = (line for line in lines if line.startswith("- stdout carries events"))
    assert set(re.findall(r"`(\w+)`", told)) == set(re.findall(r'\bemit\("(\w+)"', code))
