"""What `--help` says, read from the tasks themselves."""

from __future__ import annotations

import re
import shlex

import pytest

from bertbuild.cli.declared import declared
from bertbuild.cli.help import help_of
from bertbuild.cli.help_facts import GROUPS, group_of, value_of
from bertbuild.cli.invoke_tasks import collection
from bertbuild.cli.line import read
from bertbuild.cli.program import BertbuildProgram
from bertbuild.development.tasks import TASKS
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Text


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


WIDTHS = (44, 60, 80, 120)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TASKS)
def test_help_explains_every_flag_within_the_terminal(told, monkeypatch, name, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = told("--help", name)
    flags, *_ = text.split("flags of upstream's")
    explained = re.findall(r"^  --([a-z0-9-]+)(?:$|[=\[ ])", flags, re.MULTILINE)
    assert sorted(explained) == sorted(flags_of(name))
    assert not re.search(r"^  -\w\b", text, re.MULTILINE)  # no short flags that nobody chose
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("name", TASKS)
def test_help_says_how_a_command_is_called_with_an_example_that_can_be_typed(told, name):
    lines = told("--help", name).splitlines()
    usage = lines[0].removeprefix(f"Usage: bertbuild {name} ").split()
    command = TASKS[name]
    assert usage[-1] == "[--flags]"
    assert len(usage[:-1]) == bool(command.takes_names)
    begin = lines.index("For instance:") + 1
    example = "\n".join(lines[begin:]).split("\n\n")[0].replace("\\\n", " ")
    program, *words = shlex.split(example)
    assert program == "bertbuild"
    assert read(words, {}, TASKS)[0] == name


@pytest.mark.parametrize("name", TASKS)
def test_flags_stand_in_groups_with_their_values(name):
    for flag in TASKS[name].flags.values():
        assert group_of(TASKS[name], flag.name) in GROUPS
        assert not flag.takes_value or re.fullmatch(r"\S+", value_of(TASKS[name].parameters[flag.name]))


def test_a_flag_of_which_nothing_else_is_known_is_explained_too():
    colour = Parameter(name="colour", type=Text(), about="what it is painted in")
    text = help_of(declared("paint", "Paint it.", lambda: (colour,), (), lambda *_: None), "bertbuild", 80)
    assert "outputs:\n  --colour=TEXT               what it is painted in\n" in text


@pytest.mark.parametrize("name", TASKS)
def test_every_flag_is_declared_once_as_a_parameter(name):
    assert sorted(TASKS[name].parameters) == sorted(flags_of(name))


def test_choices_are_shown(told, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = told("--help", "build-ir")
    for shown in (
        "--precision=fp32|fp16|int8|int8-weights|int4-weights[,…]",
        "--gelu=auto|erf|tanh",
        "--isolation=docker|venv|auto",
        "--batch-size=COUNT",
        "--frozen=FILE",
        "--ema  ",
    ):
        assert shown in text
    assert "--gelu-approximation=exact|tanh|sigmoid" in told("--help", "neuron-ready")
    assert "--do-train[=true|false]" in told("--help", "finetune")


@pytest.mark.parametrize("name", TASKS)
def test_each_flag_s_sentence_stands_alone(name):
    for flag, text in TASKS[name].help.items():
        assert not re.match(r"\(|the same\b|also,|in its place|its |they |then ", text), flag
        assert "how much they" not in text, flag


@pytest.mark.parametrize("name", TASKS)
def test_every_command_can_speak_json_and_says_in_a_line_what_it_does(told, name):
    assert "json" in flags_of(name)
    line = TASKS[name].function.__doc__.splitlines()[0]
    assert line.endswith(".")
    assert len(line) < 100
    assert re.search(rf"^  {name} +{re.escape(line[:30])}", told("--list"), re.MULTILINE)


def test_the_flag_from_is_typed_without_its_underscore(told):
    assert "--from=" in told("--help", "build-ir")
