"""A command line run: where it is right and names one command, by the call that it stands for; else by Invoke.

Invoke takes longer to load than most commands with nothing to do take to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bertbuild.cli.line import read
from bertbuild.cli.task import NAMES, Task
from bertbuild.cli.tasks import TASKS
from bertbuild.cli.warnings import tell, told
from bertbuild.cli.wording import WRITTEN, words_of
from bertbuild.errors import UsageError


def run(argv: Sequence[str], *, by_invoke: bool = False) -> None:
    """Run a command line.

    Args:
        argv: the program's name, and the words behind it.
        by_invoke: whether Invoke was started, which found tasks.py and asked us.

    Raises:
        SystemExit: it ended otherwise than by itself.
    """
    told()  # what was told about another line of this process
    call = call_of(argv[1:], TASKS)
    if call is None:
        from bertbuild.cli.invoke_tasks import collection
        from bertbuild.cli.program import BertbuildProgram

        BertbuildProgram(collection(), by_invoke=by_invoke).run(list(argv))
    else:
        task, given = call
        with words_of(WRITTEN if by_invoke else "bertbuild", TASKS):
            task.function(**given)


def call_of(typed: Sequence[str], commands: Mapping[str, Task]) -> tuple[Task, dict[str, Any]] | None:
    """The command that is named, and what its function is called with.

    None for every other line (help, Invoke's own flags, several commands, anything mistyped): Invoke's program reads it
    once more, and answers.

    Args:
        typed: the words behind the program's name.
        commands: what there is, by name.
    """
    if not typed or typed[0].replace("_", "-") not in commands:
        return None
    try:
        name, *words = read(typed, {}, commands, tell)
    except UsageError:
        return None
    if name not in commands or "--" in words:
        return None
    given = _values(commands[name], words)
    return None if given is None else (commands[name], given)


def _values(task: Task, words: Iterable[str]) -> dict[str, Any] | None:
    """What a command's parameters get from its words as `read` spells them; None where another command follows."""
    given: dict[str, Any] = {flag.parameter: flag.value for flag in task.flags.values()}
    names = []
    for word in words:
        typed, equals, text = word.partition("=")
        flag = task.flags.get(typed)
        if flag is None:
            names.append(word)
        elif flag.kind is list:
            given[flag.parameter] = [*given[flag.parameter], text]
        else:
            given[flag.parameter] = text if equals else True
    if task.takes_names:
        return {NAMES: tuple(names), **given}
    return None if names else given
