"""The commands as Invoke's tasks, for its help and its list of commands, and for `invoke` itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from inspect import Parameter
from typing import Any

from invoke import Argument, Collection, Context
from invoke import Task as InvokeTask

from bertbuild.cli.task import NAMES, Task
from bertbuild.cli.tasks import TASKS

_NUMBERED = "name_"


class TaskOfNames(InvokeTask[Any]):
    """Its parameter `names` gets a tuple of all words on the command line that are not flags, nor values of flags."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """The task's flags, and one positional argument for each word that was typed."""
        flags = [argument for argument in super().get_arguments(ignore_unknown_help) if argument.name != NAMES]
        words = count_words(sys.argv[1:], self.name.replace("_", "-"), flags)
        return [*(Argument(name=f"{_NUMBERED}{number}", positional=True) for number in range(words)), *flags]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with the words together."""
        numbered = [name for name in kwargs if name.startswith(_NUMBERED)]
        names = tuple(kwargs.pop(name) for name in numbered)
        return super().__call__(*args, **kwargs, **{NAMES: names})


def count_words(typed: Sequence[str], task: str, flags: Sequence[Argument]) -> int:
    """How many words after the task's name are neither flags nor values of these flags."""
    with_value = {f"--{name.replace('_', '-')}" for flag in flags if flag.takes_value for name in flag.names}
    count, is_value = 0, False
    for word in typed[typed.index(task) + 1 :] if task in typed else ():
        if is_value:
            is_value = False
        elif word.startswith("-"):
            is_value = word in with_value
        else:
            count += 1
    return count


def as_invoke(task: Task) -> InvokeTask[Any]:
    """A command as a task of Invoke's, whose functions take a context first."""

    def body(_context: Context, **given: Any) -> None:
        task.function(**given)

    context = Parameter("_context", Parameter.POSITIONAL_OR_KEYWORD)
    body.__signature__ = task.signature.replace(  # type: ignore[attr-defined]
        parameters=[context, *task.signature.parameters.values()]
    )
    body.__doc__ = task.function.__doc__
    made = TaskOfNames if task.takes_names else InvokeTask
    return made(
        body,
        name=task.name,
        auto_shortflags=False,
        help=dict(task.help),
        iterable=list(task.iterable),
        optional=task.optional,
    )


def collection() -> Collection:
    """All commands, for one program: Invoke takes the help out of its tasks when it first reads them."""
    return Collection(*map(as_invoke, TASKS.values()))
