"""What README.md, docs/ and examples/ tell people to type is understood by the program as it is."""

from __future__ import annotations

import functools
import re
import shlex
from itertools import pairwise

import pytest
from example_files import ROOT, scripts
from invoke import Collection
from invoke.parser import Parser

from bertbuild.cli.call import call_of
from bertbuild.cli.invoke_tasks import collection
from bertbuild.cli.line import read
from bertbuild.cli.program import BertbuildProgram
from bertbuild.development.tasks import TASKS
from bertbuild.errors import UsageError

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("invoke", "bertbuild")
ENDS = ("&&", "||", "|", ";", ";;", "(", ")", "{", "}", ">", ">>", "#")
"""Words after which another command may begin."""
BLOCK = re.compile(r"^```(?:sh|bash|console|)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code(page):
    """The code in a page: its blocks, and what stands between backticks in its prose."""
    text = page.read_text(encoding="utf-8")
    return [*BLOCK.findall(text), *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))]


def words(line):
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # an apostrophe in prose
        return []


def commands(texts):
    """The words of every command of ours in some code."""
    for line in "\n".join(texts).replace("\\\n", " ").splitlines():
        found = words(line)
        begins = [place for place, word in enumerate(found) if word in PROGRAMS]
        for begin in begins:
            if begin == 0 or found[begin - 1] in (*ENDS, "then") or "=" in found[begin - 1]:
                ends = (place for place in range(begin, len(found)) if found[place] in ENDS)
                yield tuple(found[begin : next(ends, len(found))])


def typed_in(command):
    """Without an ellipsis that stands for more flags; after a flag it stands for its value."""
    return [
        word for before, word in pairwise(command) if word != "…" or (before.startswith("--") and "=" not in before)
    ]


TYPED = {
    (place, command)
    for place, texts in [*((page, code(page)) for page in PAGES), *scripts().items()]
    for command in commands(texts)
    if command[1:] and command[1] != "COMMAND"
}
CASES = [pytest.param(typed_in(command), id=f"{place.name} {' '.join(command)}") for place, command in sorted(TYPED)]


all_tasks = functools.cache(collection)


@pytest.fixture
def parse(monkeypatch):
    """Reads a command line as the program does: with the tasks that it names alone, else with all (it takes 50 ms)."""

    def parse(typed):
        monkeypatch.setattr("sys.argv", ["bertbuild", *typed])
        tasks = all_tasks()
        core = BertbuildProgram(tasks).initial_context
        words = read(typed, core.flags, TASKS)
        named = Collection(*(tasks[word] for word in {*words} & TASKS.keys())) if words[0] in TASKS else tasks
        return Parser(contexts=named.to_contexts(), initial=core).parse_argv(words)

    return parse


@pytest.mark.parametrize("typed", CASES)
def test_the_program_knows_the_command_and_its_flags(parse, typed):
    parsed = parse([word for word in typed if word != "--help"])
    assert not parsed.unparsed
    assert [context.name for context in parsed] == [None, typed[0]]


@pytest.mark.parametrize("typed", CASES)
def test_what_is_called_at_once_is_what_invoke_would_call(parse, typed):
    words = [word for word in typed if word != "--help"]
    task, given = call_of(words, TASKS)
    _, context = parse(words)
    wanted = dict(context.as_kwargs)
    if task.takes_names:
        wanted["names"] = tuple(wanted.pop(name) for name in [*wanted] if name.startswith("name_"))
    assert (task.name, given) == (context.name, wanted)


def test_a_command_or_a_flag_that_is_not_there_is_seen(parse):
    for typed in (["built"], ["build-ir", "--modle", "x"], ["doctor", "--backend", "tf1"]):
        with pytest.raises(UsageError):
            parse(typed)


def test_commands_are_found_in_every_kind_of_place():
    text = """
    prose with `invoke verify`
    a && invoke build-ir --model "a b" \\
        --json | tee x || code=$?
    A=1 bertbuild doctor; if x; then bertbuild gc; fi   # invoke not-this
    """
    assert list(commands([text])) == [
        ("invoke", "build-ir", "--model", "a b", "--json"),
        ("bertbuild", "doctor"),
        ("bertbuild", "gc"),
    ]
    places = {place.name for place, _ in TYPED}
    assert places >= {"README.md", "docker.md", "github-actions.yml", "gitlab-ci.yml"}


def test_both_examples_use_the_same_commands():
    github, gitlab = ({command for place, command in TYPED if place == file} for file in scripts())
    assert github == gitlab
