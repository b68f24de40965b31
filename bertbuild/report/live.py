"""What is going on: on a terminal a line for each job that runs, taken away when it ends; else a word now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bertbuild.report.pace import Pace, Whole, duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

QUIET_SECONDS = 60.0
"""Without a line, where stdout is not a terminal."""

OVERALL = ""
"""The line of the whole run, where a job's would have its id."""


class Live:
    """Bars below the lines that stay, on a terminal; elsewhere a line of what runs, where long none was printed."""

    def __init__(self, console: Callable[[], Console], say: Callable[[str], None], *, is_terminal: bool) -> None:
        """`say` prints a line that stays, where stdout is not a terminal."""
        self._console, self._say = console, say
        self._is_terminal = is_terminal
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._paces: dict[str, Pace] = {}
        self._whole: Whole | None = None
        self._beat = Beat(self._tell_what_runs)

    @property
    def shown(self) -> bool:
        """Whether there is a line now."""
        return self._progress is not None

    def of(self, whole: Whole) -> None:
        """The jobs of a run are counted from now on."""
        self._whole = whole

    def start(self, job: str, name: str, expects: float | None = None) -> None:
        """A job runs from now on; it took `expects` seconds before, if that is known."""
        if job in self._paces:
            return
        pace = self._paces[job] = Pace(name=name, began=time.monotonic(), expects=expects)
        if not self._is_terminal:
            self._beat.start()
            return
        if self._progress is None:
            self._progress = self._made()
            self._progress.start()
            if self._whole is not None:
                self._tasks[OVERALL] = self._progress.add_task("", pace=None, whole=self._whole)
        self._tasks[job] = self._progress.add_task("", pace=pace, whole=None)

    def phase(self, job: str, doing: str, expects: float | None = None) -> None:
        """It does something else now, which took `expects` seconds before, if that is known."""
        if (pace := self._pace(job)) is not None:
            pace.phase(doing, expects, time.monotonic())

    def describe(self, job: str, doing: str) -> None:
        """What it is doing now, in the same phase."""
        if (pace := self._pace(job)) is not None:
            pace.doing = doing

    def advance(self, job: str, done: int, total: int | None) -> None:
        """How far it is."""
        if (pace := self._pace(job)) is not None:
            pace.advance(done, total, time.monotonic())

    def end(self, job: str) -> None:
        """It runs no longer."""
        self._paces.pop(job, None)
        task = self._tasks.pop(job, None)
        if not self._paces:
            self.close()
        elif self._progress is not None and task is not None:
            self._progress.remove_task(task)

    def close(self) -> None:
        """Take all lines away, and say nothing more."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = None
        self._tasks.clear()
        self._paces.clear()
        self._beat.end()

    def print(self, line: str) -> None:
        """Print a line that stays, above the others."""
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def printed(self) -> None:
        """A line was printed elsewhere than here."""
        self._beat.spoken()

    def _tell_what_runs(self) -> None:
        now = time.monotonic()
        told = []
        for pace in list(self._paces.values()):
            facts = filter(None, (f"for {duration(now - pace.began)}", pace.words(now), pace.doing[:80]))
            told.append(f"{pace.name} ({', '.join(facts)})")
        counted = f" {self._whole.words(now)};" if self._whole is not None and self._whole.total else ""
        if told:
            self._say(f"  still running:{counted} {'; '.join(told)}")

    def _pace(self, job: str) -> Pace | None:
        """That of a job; of an event that names none, the one there is."""
        return self._paces.get(job) if job else next(iter(self._paces.values()), None)

    def _made(self) -> Progress:
        from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

        from bertbuild.report.bars import Bar, Doing, Name

        return Progress(
            SpinnerColumn(), Name(), Bar(), TimeElapsedColumn(), Doing(), console=self._console(), transient=True
        )


class Beat:
    """Calls a function from a thread of its own whenever nothing was said for long, from `start` to `end`."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._spoken = time.monotonic()
        self._ended: threading.Event | None = None

    def start(self) -> None:
        """Begin, unless it has begun."""
        if self._ended is None:
            self._ended = threading.Event()
            threading.Thread(target=self._run, args=(self._ended,), daemon=True).start()

    def spoken(self) -> None:
        """Something was said."""
        self._spoken = time.monotonic()

    def end(self) -> None:
        """No more."""
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(max(0.01, self._spoken + QUIET_SECONDS - time.monotonic())):
            if time.monotonic() - self._spoken >= QUIET_SECONDS:
                self.spoken()
                self._tell()
