"""A task that takes as many names as are typed, `invoke build tiny large/ir`, which Invoke's own tasks do not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from invoke import Argument, Task

NAMES = "names"
_NUMBERED = "name_"


class TaskOfNames(Task[Any]):
    """Its parameter `names` gets a tuple of all words on the command line that are no flags, nor values of flags."""

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
