"""What `--help` says, read from the tasks themselves."""

from __future__ import annotations

import inspect
import re
import runpy
import sys

import pytest

from bertbuild.cli import tasks
from bertbuild.cli.names import TaskOfNames
from bertbuild.cli.program import BertbuildProgram
from bertbuild.cli.tasks import namespace

TASKS = sorted(namespace.task_names)


@pytest.fixture
def told(capsys, monkeypatch):
    """What the program prints."""

    def run(*words):
        # Invoke takes the help out of its tasks when it first reads them, so each run has tasks of its own.
        for name in [name for name in sys.modules if name.startswith("bertbuild.cli.tasks.")]:
            monkeypatch.delitem(sys.modules, name)
        namespace = runpy.run_path(tasks.__file__)["namespace"]
        BertbuildProgram(namespace).run(["bertbuild", *words], exit=False)
        return capsys.readouterr().out

    return run


def flags_of(name):
    """The flags of a task: the parameters of its function."""
    names = list(inspect.signature(namespace[name].body).parameters)[1:]
    if isinstance(namespace[name], TaskOfNames):
        names.remove("names")
    return {name.strip("_").replace("_", "-") for name in names}


@pytest.mark.parametrize("name", TASKS)
def test_help_explains_every_flag(told, name):
    text = told("--help", name)
    explained = dict(re.findall(r"^  --(?:\[no-\])?([a-z0-9-]+)(?:\[?=\w+\]?)? +(\S.*)$", text, re.MULTILINE))
    assert set(explained) == flags_of(name)
    assert not re.search(r"^  -\w\b", text, re.MULTILINE)  # no short flags that nobody chose


@pytest.mark.parametrize("name", TASKS)
def test_every_command_can_speak_json_and_says_in_a_line_what_it_does(told, name):
    assert "json" in flags_of(name)
    line = namespace[name].__doc__.splitlines()[0]
    assert line.endswith(".")
    assert len(line) < 100
    assert re.search(rf"^  {name} +{re.escape(line[:30])}", told("--list"), re.MULTILINE)


def test_the_flag_from_is_typed_without_its_underscore(told):
    assert "--from=" in told("--help", "build-ir")
