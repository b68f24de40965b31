"""Flags that were renamed: the old word does the same for one release, is in no help, and the new word is told."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from bertbuild.cli import line
from bertbuild.cli.help import help_of
from bertbuild.cli.line import read, renamed_flags
from bertbuild.cli.tasks import TASKS
from bertbuild.cli.warnings import tell, told
from bertbuild.kinds import KINDS
from bertbuild.project import ROOT
from bertbuild.renamed import NAMES, RENAMED

OLD = {
    "neuron-ready --dtype float32": "neuron-ready --compute=float32",
    "neuron-ready --gelu=tanh": "neuron-ready --gelu-approximation=tanh",
    "neuron-compile --dtype float32 --gelu sigmoid": "neuron-compile --compute=float32 --gelu-approximation=sigmoid",
    "report --output page.html": "report --to=page.html",
    "verify --model toy": "verify toy/*",
    "why --name toy/ir-fp32": "why toy/ir-fp32",
    "verify --target=ir-fp32 --json": "verify --json */ir-fp32",
    "verify --model toy --target ir-fp32": "verify toy/ir-fp32",
    "verify-provenance --model toy --target ir-fp32": "verify-provenance toy/ir-fp32",
}


@pytest.mark.parametrize(("typed", "meant"), OLD.items())
def test_an_old_flag_is_read_as_the_new_one_which_is_told(typed, meant):
    said = []
    assert read(typed.split(), {}, TASKS, said.append) == meant.split()
    command, *words = typed.split()
    old = [name for name in (word.partition("=")[0] for word in words) if name in renamed_flags(command)]
    assert [text.split()[0] for text in said] == old
    assert all(text.endswith("; the old word goes in the next release") for text in said)
    new = renamed_flags(command)[old[0]].replace(NAMES, f"a name without a flag ({command} MODEL/TARGET)")
    assert said[0].startswith(f"{old[0]} is now {new};")
    assert read(meant.split(), {}, TASKS, said.append) == meant.split()
    assert len(said) == len(old)


def test_mo_keeps_its_flag_for_the_batch():
    said = []
    assert read(["build-ir", "--batch", "2"], {}, TASKS, said.append) == ["build-ir", "--batch-size=2"]
    assert said == []


def test_old_and_new_together_are_one_flag_twice():
    with pytest.raises(line.UsageError, match="--compute is given twice"):
        read(["neuron-ready", "--dtype", "float32", "--compute", "float16"], {}, TASKS)


@pytest.mark.parametrize("name", RENAMED)
def test_old_words_are_in_no_help_and_new_ones_are_flags(name):
    shown = help_of(TASKS[name], "bertbuild", 100)
    ours = shown.partition("flags of upstream's scripts")[0]
    for old, new in renamed_flags(name).items():
        assert f"  {old}=" not in ours
        assert f"  {old} " not in ours
        assert old not in TASKS[name].flags
        assert new in TASKS[name].flags or (new == NAMES and TASKS[name].takes_names)


def test_every_renamed_parameter_is_one_of_its_kinds():
    commands = {kind.command.name for kind in KINDS.values()}
    for name in RENAMED.keys() & commands:
        kinds = [kind for kind in KINDS.values() if kind.command.name == name]
        assert all(any(new in kind.parameters for kind in kinds) for new in RENAMED[name].values())


def test_what_was_told_waits_for_the_listener_once():
    told()
    tell("a")
    tell("a")
    tell("b")
    assert told() == ["a", "b"]
    assert told() == []


def rows(heading, page=ROOT / "docs" / "reference.md"):
    """The words in backticks of each cell of the tables below a heading."""
    section = page.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [one for one in section.splitlines() if one.startswith("| `")]
    return [[re.findall(r"`([^`]+)`", cell) for cell in one.strip("|").split(" | ")] for one in lines]


def test_the_reference_has_each_word_of_several_commands_once():
    told = [word for first, *_ in rows("Words of flags") for word in first if word.startswith("--")]
    having = Counter(flag for command in TASKS.values() for flag in command.flags)
    assert sorted(told) == sorted(flag for flag, commands in having.items() if commands > 1)


def test_the_reference_has_each_old_word():
    told = {
        (command, old, new)
        for commands, olds, (new,) in (row for row in rows("Words of flags") if len(row) == 3)
        for command in commands
        for old in olds
        if command in RENAMED and old in RENAMED[command]
    }
    assert told == {(command, old, new) for command, words in RENAMED.items() for old, new in words.items()}
