"""What `--help` says, read from the tasks themselves."""

from __future__ import annotations

import re

import pytest

from bertbuild.cli.invoke_tasks import collection
from bertbuild.cli.program import BertbuildProgram
from bertbuild.cli.tasks import TASKS


@pytest.fixture
def told(capsys):
    """What the program prints."""

    def run(*words):
        BertbuildProgram(collection()).run(["bertbuild", *words], exit=False)
        return capsys.readouterr().out

    return run


def flags_of(name):
    """The flags of a task: the parameters of its function."""
    return {flag.removeprefix("--") for flag in TASKS[name].flags}


@pytest.mark.parametrize("name", TASKS)
def test_help_explains_every_flag(told, name):
    text = told("--help", name)
    explained = dict(re.findall(r"^  --(?:\[no-\])?([a-z0-9-]+)(?:\[?=\w+\]?)? +(\S.*)$", text, re.MULTILINE))
    assert set(explained) == flags_of(name)
    assert not re.search(r"^  -\w\b", text, re.MULTILINE)  # no short flags that nobody chose


@pytest.mark.parametrize("name", TASKS)
def test_every_command_can_speak_json_and_says_in_a_line_what_it_does(told, name):
    assert "json" in flags_of(name)
    line = TASKS[name].function.__doc__.splitlines()[0]
    assert line.endswith(".")
    assert len(line) < 100
    assert re.search(rf"^  {name} +{re.escape(line[:30])}", told("--list"), re.MULTILINE)


def test_the_flag_from_is_typed_without_its_underscore(told):
    assert "--from=" in told("--help", "build-ir")
