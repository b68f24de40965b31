"""docs/api.md: its examples run, and it lists all that is public."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest
from small_fleet import MODELS, TARGETS, write_tiny

from bertbuild import api
from bertbuild.api import Project
from bertbuild.backends import BACKENDS
from bertbuild.cli.tasks import TASKS
from bertbuild.commands.session import Session
from bertbuild.project import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text()
EXAMPLES = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
DEVELOPERS = {"test", "lint", "lock"}


@pytest.fixture
def folder(isolation, monkeypatch, tmp_path):
    """A folder with what the examples name, where stages are played."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Session, "isolation", isolation)
    isolation.prepared.extend(BACKENDS)
    for seed, name in enumerate(("one", "two")):
        write_tiny(tmp_path / "checkpoints" / name, seed)
    (tmp_path / "bertbuild.toml").write_text(TARGETS + MODELS)
    return tmp_path


def run(name, program="", **names):
    """An example run, with a program behind it; gives its names."""
    exec(compile(EXAMPLES[name] + program, f"docs/api.md, {name}", "exec"), names)  # noqa: S102 - the page's own
    return names


def test_the_script(folder, capsys):
    run("script", __name__="__main__")
    assert capsys.readouterr().out.split() == ["ir-fp16", str(folder / "artifacts" / "out" / "one" / "ir-fp16"), "0.0"]


@pytest.mark.usefixtures("folder")
def test_the_notebook_s_last_line_is_a_table():
    *lines, last = EXAMPLES["notebook"].strip().splitlines()
    names: dict[str, object] = {}
    exec("\n".join(lines), names)  # noqa: S102 - the page's own
    rows = eval(last, names)  # noqa: S307 - the page's own
    assert ("one", "frozen", "built", 0.0) in rows
    assert ("two", "frozen", "missing", None) in rows


def test_the_function_of_the_airflow_task(folder, monkeypatch):
    """Airflow is not installed: a decorator that changes nothing takes its place."""
    decorators = ModuleType("airflow.decorators")
    decorators.task = lambda function: function
    monkeypatch.setitem(sys.modules, "airflow", ModuleType("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.decorators", decorators)
    build_models = run("airflow")["build_models"]
    assert build_models(["two"]) == [str(folder / "artifacts" / "out" / "two" / "frozen")]


@pytest.mark.usefixtures("folder")
def test_the_test_of_pytest(tmp_path):
    names = run("pytest")
    project = Project(artifacts=tmp_path / "artifacts")
    names["test_our_model_answers_like_its_checkpoint"](project)
    assert project.status().targets[0].state == "built"


@pytest.mark.usefixtures("folder")
def test_the_listener(isolation):
    assert run("listener")["stages"]["done"] == len(isolation.runs) + 4 + 2  # gates, and looks at a model


def test_all_examples_are_run():
    assert set(EXAMPLES) == {"script", "notebook", "airflow", "pytest", "listener"}


def test_every_method_is_in_the_table_and_no_other():
    told = [name for row in ROWS for name in re.findall(r"`(\w+)`", row[1])]
    public = {name for name in dir(Project) if not name.startswith("_")}
    assert set(told) == public


def test_every_command_has_a_method():
    told = {name.split()[0] for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}
    assert told == set(TASKS) - DEVELOPERS


def test_every_result_is_public_and_the_methods_give_it():
    told = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[2])}
    assert told <= set(api.__all__)
    given = " ".join(
        str(getattr(Project, name).__annotations__.get("return")) for name in dir(Project) if name[0] != "_"
    )
    assert told == {name for name in re.findall(r"\w+", given) if name in told}
    assert told | {"Dataset", "CatalogueModel", "tuple", "None"} == set(re.findall(r"\w+", given))
