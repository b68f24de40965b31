from __future__ import annotations

import sys

import pytest
from invoke import Argument, Collection, Context, Program, task

from bertbuild.cli.invoke_tasks import TaskOfNames, count_words

FLAGS = [Argument(name="jobs"), Argument(name="keep_going", kind=bool, default=False)]


@pytest.mark.parametrize(
    ("typed", "count"),
    [
        ("build", 0),
        ("build a", 1),
        ("build a b/c 'd*'", 3),
        ("build --jobs 2 a", 1),
        ("build a --jobs=2 b", 2),
        ("build --keep-going a b", 2),
        ("--echo build a", 1),
        ("other a b", 0),
    ],
)
def test_words_are_what_is_neither_a_flag_nor_its_value(typed, count):
    assert count_words(typed.split(), "build", FLAGS) == count


@pytest.fixture
def called(monkeypatch):
    """Runs a program with one task of names; gives what it was called with."""

    def run(typed):
        seen = []

        @task(klass=TaskOfNames, auto_shortflags=False)
        def build(_context: Context, names: tuple[str, ...] = (), jobs: str = "", keep_going: bool = False) -> None:
            seen.append((names, jobs, keep_going))

        words = ["program", *typed.split()]
        monkeypatch.setattr(sys, "argv", words)
        Program(name="program", binary="program", namespace=Collection(build)).run(words, exit=False)
        return seen

    return run


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("build", ((), "", False)),
        ("build tiny", (("tiny",), "", False)),
        ("build tiny large/ir --jobs 2 hub", (("tiny", "large/ir", "hub"), "2", False)),
        ("build --keep-going status build", (("status", "build"), "", True)),
    ],
)
def test_a_task_gets_all_names(called, typed, expected):
    assert called(typed) == [expected]
