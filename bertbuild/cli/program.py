"""The program, started as `bertbuild` or by Invoke: it runs tasks, and tells what is wrong with a command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import Any

from invoke import Argument, Collection, Exit, Program
from invoke.exceptions import ParseError

from bertbuild import __version__
from bertbuild.cli.help import help_of
from bertbuild.cli.line import OF_INVOKE, read
from bertbuild.cli.tasks import TASKS
from bertbuild.cli.warnings import tell
from bertbuild.cli.wording import WRITTEN, rendered, words_of
from bertbuild.errors import UsageError


class BertbuildProgram(Program):
    """Reads the command line by `cli.line`, then runs the task as Invoke does.

    Args:
        namespace: the tasks.
        by_invoke: whether Invoke was started, which found tasks.py and asked us.
    """

    def __init__(self, namespace: Collection, *, by_invoke: bool = False) -> None:
        name, binary = ("Invoke", WRITTEN) if by_invoke else ("bertbuild", "bertbuild")
        super().__init__(name=name, binary=binary, version=__version__, namespace=namespace)
        self._by_invoke = by_invoke

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:  # noqa: A002 - Invoke's name
        """Read the command line, and run what it says.

        Raises:
            SystemExit: it ended otherwise than by itself; a command line that is invalid with 2.
        """
        with words_of(self.binary, TASKS):
            super().run(argv, exit)

    def core_args(self) -> list[Argument]:
        """Invoke's own flags; where it was started also those that say where tasks.py is."""
        of_invoke = [flag for flag in self.task_args() if flag.names[0] in OF_INVOKE] if self._by_invoke else []
        return [*super().core_args(), *of_invoke]

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the whole line by our own rules, and give Invoke what they make of it."""
        self.normalize_argv(argv)
        words = self.argv[1:]
        with self._errors_told(words):
            words = read(words, self.initial_context.flags, TASKS, tell)
            super().parse_core([self.argv[0], *words])

    def parse_collection(self) -> None:
        """All tasks, or those alone that the line names, whose flags are then all that Invoke reads."""
        super().parse_collection()
        words = self.core.unparsed or [self.args.help.value]
        if words[0] in TASKS:
            self.collection = Collection(*(self.collection[word] for word in {*words} & TASKS.keys()))

    def parse_tasks(self) -> None:
        """As Invoke does; what it refuses is reported as all errors are."""
        with self._errors_told(self.argv):
            super().parse_tasks()

    def print_help(self) -> None:
        """How to call the program, and its commands."""
        usage = ("COMMAND [--flags]", "--help COMMAND", "--list", "--version")
        print("Usage:", *(f"  {self.binary} {words}" for words in usage), "", sep="\n")  # noqa: T201
        self.list_tasks()

    def print_task_help(self, name: str) -> None:
        """Ours, at the width of the terminal, in the words of the program that was started."""
        print(help_of(TASKS[name], self.binary, get_terminal_size().columns), end="")  # noqa: T201 - what a program prints

    def print_columns(self, tuples: Any) -> None:
        """As Invoke does; rendered before lines are broken."""
        super().print_columns([(name, rendered(text or "")) for name, text in tuples])

    @contextlib.contextmanager
    def _errors_told(self, words: list[str]) -> Iterator[None]:
        """Turn what is wrong with the command line into an error that was told, and exit code 2."""
        try:
            yield
        except (UsageError, ParseError) as error:
            from bertbuild.cli.frame import refused

            known = error if isinstance(error, UsageError) else None
            told = known or UsageError(str(error).rstrip(".!?") + ".", next_step="invoke --help explains the words.")
            raise Exit(code=refused(told, json="--json" in words)) from error
