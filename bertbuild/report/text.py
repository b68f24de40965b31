"""Lines for people: one per stage with what it took, live progress on a terminal, a table of the parity figures.

Results and lines go to stdout, warnings to stderr. rich is loaded only when there is something to draw, so that a run
with nothing to do stays quick.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

DONE, KEPT, FAILED, UNKNOWN = "✓", "=", "✗", "?"

QUIET_SECONDS = 60.0
"""Between two lines about one training run where stdout is no terminal."""


class TextReporter:
    """Turns events into lines; a spinner or a bar shows what is going on where stdout is a terminal."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that has no ✓ shows a question mark
        self._live = sys.stdout.isatty()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._console: Console | None = None
        self._told = time.monotonic()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show one event; kinds it does not know are for programs only."""
        show = getattr(self, f"_on_{event['event']}", None)
        if show is not None:
            show(event)

    def close(self) -> None:
        """Take the live line away."""
        self._stop()

    def _on_stage(self, event: Mapping[str, Any]) -> None:
        name = event["id"]
        match event["state"]:
            case "cached":
                self._print(f"{KEPT} {name:<28} up to date   {event['key'][:12]}")
            case "started":
                self._start(name)
            case "done":
                self._stop()
                self._print(f"{DONE} {name:<28} {event['seconds']:>7.1f} s    {event['key'][:12]}")
            case "failed":
                self._stop()
                self._print(f"{FAILED} {name:<28} {event['seconds']:>7.1f} s")

    def _on_step(self, event: Mapping[str, Any]) -> None:
        self._describe(event["text"])

    def _on_training(self, event: Mapping[str, Any]) -> None:
        """A line that changes on a terminal; elsewhere one now and then, and the last step's."""
        from bertbuild.report.training import training_line

        line = training_line(event)
        self._describe(line)
        now = time.monotonic()
        if not self._live and (now - self._told >= QUIET_SECONDS or event["step"] == event["steps"]):
            self._told = now
            self._print(f"  {line}")

    def _on_environment(self, event: Mapping[str, Any]) -> None:
        what = "image" if event["isolation"] == "docker" else "virtual environment"
        name = f"{what} {event['backend']}"
        match event["state"]:
            case "started":
                self._print(f"  making the {name}; this happens once")
                self._start(name)
            case "line":
                self._describe(event["text"])
            case "done":
                self._stop()
                self._print(f"{DONE} {name:<28} {event['seconds']:>5.1f} s")

    def _on_download(self, event: Mapping[str, Any]) -> None:
        if self._task is None:
            self._start(event["name"])
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=event["done"], total=event["total"])
        if event["done"] == event["total"]:
            self._stop()
            self._print(f"{DONE} {event['name']:<28} {event['done'] / 1e6:>7.1f} MB")

    def _on_progress(self, event: Mapping[str, Any]) -> None:
        """A bar on a terminal; elsewhere a line now and then."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=event["done"], total=event["total"])
        now = time.monotonic()
        if not self._live and now - self._told >= QUIET_SECONDS:
            self._told = now
            self._print(f"  {100 * event['done'] // max(1, event['total'])} % done")

    def _on_note(self, event: Mapping[str, Any]) -> None:
        self._print(f"  {event['text']}")

    def _on_warning(self, event: Mapping[str, Any]) -> None:
        self._stop()
        sys.stderr.write(f"warning: {event['text']}\n")

    def _on_verdict(self, event: Mapping[str, Any]) -> None:
        """The worst figure in one line; the whole table where the gate failed or was asked for."""
        if event["passed"] and not event.get("show_table"):
            worst = max(event["rows"], key=lambda row: row["max_abs"] / row["limit"])
            self._print(
                f"{DONE} {event['target']:<28} answers like its source: max abs {worst['max_abs']:.1e} "
                f"({worst['limit']:.0e} allowed) over {len(event['rows'])} comparisons"
            )
            return
        from bertbuild.report.tables import parity_table

        self._rich().print(parity_table(event))

    def _on_provenance(self, event: Mapping[str, Any]) -> None:
        self._print(f"{event['name']}:")
        for mark, kind in ((DONE, "checked"), (UNKNOWN, "told")):
            for line in event[kind]:  # what is wrong ends up in the error
                self._print(f"  {mark} {line}")

    def _on_unverified(self, event: Mapping[str, Any]) -> None:
        self._print(f"{UNKNOWN} {event['target']:<28} NOT VERIFIED: {event['reason']}")

    def _on_table(self, event: Mapping[str, Any]) -> None:
        from bertbuild.report.tables import plain_table

        self._rich().print(plain_table(event))

    def _on_result(self, event: Mapping[str, Any]) -> None:
        self._stop()
        for line in event.get("lines", ()):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def _on_error(self, event: Mapping[str, Any]) -> None:
        self._stop()
        sys.stdout.flush()
        for line in event["details"].splitlines():
            sys.stderr.write(f"  | {line}\n")
        sys.stderr.write(f"error: {event['message']}\n")
        if event["next_step"]:
            sys.stderr.write(f"  → {event['next_step']}\n")

    def _start(self, name: str) -> None:
        if not self._live:
            return
        if self._progress is None:
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                TimeElapsedColumn(),
                TextColumn("{task.fields[doing]}", style="dim", markup=False),
                console=self._rich(),
                transient=True,
            )
            self._progress.start()
        self._task = self._progress.add_task(f"{name:<28}", total=None, doing="")

    def _describe(self, doing: str) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, doing=doing[:80])

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None

    def _print(self, line: str) -> None:
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False)
        else:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def _rich(self) -> Console:
        if self._console is None:
            from rich.console import Console

            self._console = Console(width=None if self._live else 120, markup=False, emoji=False)
        return self._console
