"""The commands' flags, read from their tasks; of the thirty commands a line names one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from invoke import Collection
from invoke.parser import ParserContext


class Commands(Mapping[str, ParserContext]):
    """Name → flags, as Invoke's parser knows them; read when they are first asked for."""

    def __init__(self, tasks: Collection) -> None:
        self._tasks = tasks
        self._read: dict[str, ParserContext] = {}

    def __getitem__(self, name: str) -> ParserContext:
        """The flags of a command."""
        if name not in self._read:
            task = self._tasks[name]
            told = dict(task.help)
            self._read[name] = ParserContext(name=name, args=task.get_arguments())
            task.help = told  # Invoke takes it out
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        """All names."""
        return iter(self._tasks.task_names)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a command; no flags are read."""
        return name in self._tasks.task_names

    def __len__(self) -> int:
        """How many there are."""
        return len(self._tasks.task_names)

    def only(self, names: set[str]) -> Collection:
        """A collection of these tasks alone."""
        chosen = Collection()
        for name in names:
            chosen.add_task(self._tasks[name], name=name)
        return chosen
