"""Command lines that are run without Invoke: as Invoke would, and only those that are right and name one command."""

from __future__ import annotations

import pytest

from bertbuild.cli.call import call_of
from bertbuild.cli.invoke_tasks import collection
from bertbuild.cli.tasks import TASKS


def test_every_flag_is_what_invoke_makes_of_it():
    for context in collection().to_contexts():
        ours = TASKS[context.name].flags
        flags = [
            (f"--{flag.names[0]}", flag.name, flag.kind, flag.optional, flag.takes_value, flag.value)
            for flag in context.args.values()
            if flag.name != "names"
        ]
        assert flags == [
            (typed, flag.parameter, flag.kind, flag.optional, flag.takes_value, flag.value)
            for typed, flag in ours.items()
        ]


CALLS = {
    "doctor": {"json": False, "isolation": None, "offline": False},
    "fetch_data --task=A --task B": {"task": ["A", "B"]},
    "fetch-data": {"task": []},
    "why tiny/ir --json": {"names": ("tiny/ir",), "json": True},
    "why --name=tiny/ir": {"names": ("tiny/ir",)},
    "build": {"names": ()},
    "build tiny --jobs 2 status build --keep-going": {
        "names": ("tiny", "status", "build"),
        "jobs": "2",
        "keep_going": True,
    },
    "finetune --do_train --task=X=Y": {"do_train": True, "task": "X=Y"},
    "finetune --do_train false": {"do_train": "false"},
    "build-ir --from=a --mirror http://x/=": {"from_": "a", "mirror": "http://x/="},
}


@pytest.mark.parametrize("line", CALLS)
def test_a_right_line_is_a_call(line):
    words = line.split()
    task, given = call_of(words, TASKS)
    assert task is TASKS[words[0].replace("_", "-")]
    assert given.keys() == task.signature.parameters.keys()
    assert given.items() >= CALLS[line].items()


def test_what_a_command_does_to_a_list_is_forgotten():
    _, given = call_of(["fetch-data"], TASKS)
    given["task"].append("MRPC")
    assert call_of(["fetch-data"], TASKS)[1]["task"] == []


OTHERS = [
    "",
    "--help",
    "--list",
    "--version",
    "why --help",
    "why tiny -h",
    "buidl",
    "status doctor",
    "fetch --model=a build",
    "build --dry",
    "-p status",
    "doctor --quux",
    "doctor -- x",
    "build-ir --model",
]


@pytest.mark.parametrize("line", OTHERS)
def test_all_other_lines_are_for_invokes_program(line):
    assert call_of(line.split(), TASKS) is None
