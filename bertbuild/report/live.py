"""What is going on, on a terminal: a line for each job that runs, taken away when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class Live:
    """Spinners and bars below the lines that stay; nothing at all where stdout is not a terminal."""

    def __init__(self, console: Callable[[], Console], *, is_terminal: bool) -> None:
        self._console = console
        self._is_terminal = is_terminal
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    @property
    def shown(self) -> bool:
        """Whether there is a line now."""
        return self._progress is not None

    def start(self, job: str, name: str) -> None:
        """A job runs from now on."""
        if not self._is_terminal or job in self._tasks:
            return
        if self._progress is None:
            self._progress = self._made()
            self._progress.start()
        self._tasks[job] = self._progress.add_task(f"{name:<28}", total=None, doing="")

    def describe(self, job: str, doing: str) -> None:
        """What it is doing now."""
        if self._progress is not None and (task := self._task(job)) is not None:
            self._progress.update(task, doing=doing[:80])

    def advance(self, job: str, done: int, total: int | None) -> None:
        """How far it is."""
        if self._progress is not None and (task := self._task(job)) is not None:
            self._progress.update(task, completed=done, total=total)

    def end(self, job: str) -> None:
        """It runs no longer."""
        task = self._tasks.pop(job, None)
        if not self._tasks:
            self.close()
        elif self._progress is not None and task is not None:
            self._progress.remove_task(task)

    def close(self) -> None:
        """Take all lines away."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = None
        self._tasks.clear()

    def print(self, line: str) -> None:
        """Print a line that stays, above the others."""
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _task(self, job: str) -> TaskID | None:
        """The line of a job; of an event that names none, the line there is."""
        return self._tasks.get(job) if job else next(iter(self._tasks.values()), None)

    def _made(self) -> Progress:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[doing]}", style="dim", markup=False),
            console=self._console(),
            transient=True,
        )
