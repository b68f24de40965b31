"""Lines for people: one per stage with what it took, live progress on a terminal, a table of the parity figures.

Where several jobs run at once, each job's lines are held back and printed in one block when it ends. Results and lines
go to stdout, warnings to stderr. rich is loaded only when there is something to draw, so that a run with nothing to do
stays quick.
"""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bertbuild.gate.answered import Answered, reasons
from bertbuild.gate.parity import reference_in_words
from bertbuild.places import PLACES
from bertbuild.plural import number_of
from bertbuild.report.clean import cleaned
from bertbuild.report.columns import aligned
from bertbuild.report.live import QUIET_SECONDS, Live
from bertbuild.report.pace import Whole
from bertbuild.report.verdicts import judged_on, told_of_default

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_COUNTED = re.compile(r"(\d+) of (\d+): ")
"""At the beginning of what the making of an image says."""

DONE, KEPT, FAILED, UNKNOWN, SKIPPED = "✓", "=", "✗", "?", "-"


class TextReporter:
    """Turns events into lines; spinners or bars show what is going on where stdout is a terminal.

    Of a build file's targets, which may be hundreds, those are not told that are up to date; the result counts them.
    What a command has made itself, and asks for once more, is not reported as up to date either.
    """

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a terminal that has no ✓ shows a question mark
        self._is_terminal = sys.stdout.isatty()
        self._printing = threading.Lock()  # a thread of the live lines prints too
        self._live = Live(self._rich, self._print, is_terminal=self._is_terminal)
        self._whole = Whole()
        self._console: Console | None = None
        self._told = time.monotonic()
        self._many = self._at_once = False
        self._blocks: dict[str, list[str]] = {}
        self._made: set[str] = set()
        self._failures: dict[tuple[str, str, str], str] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show one event, its words clean; kinds it does not know are for programs only."""
        if event["event"] == "stage" and event["state"] != "started":
            self._whole.end(event.get("job", event["id"]))  # told or not
        show = getattr(self, f"_on_{event['event']}", None)
        if show is not None and not (self._many and _is_told_by_its_target(event)):
            show(cleaned(event))

    def close(self) -> None:
        """Take the live lines away."""
        self._live.close()

    def _on_run(self, event: Mapping[str, Any]) -> None:
        self._many = event["build_file"] is not None
        self._at_once = event["jobs"] > 1
        self._whole = Whole(event["jobs"])

    def _on_graph(self, event: Mapping[str, Any]) -> None:
        """What a build would do is known bit by bit: how many jobs there are grows."""
        for row in event["jobs"]:
            if row["kind"] in ("stage", "gate"):
                self._whole.add(row["job"], row.get("expects", 0.0 if row["kind"] == "gate" else None))
        if self._whole.total > 1:
            self._live.of(self._whole)

    def _on_stage(self, event: Mapping[str, Any]) -> None:
        job = event.get("job", event["id"])
        name = job if self._many else event["id"]
        match event["state"]:
            case "cached":
                if event["key"] not in self._made:
                    self._print(f"{KEPT} {name:<28} up to date   {event['key'][:12]}")
            case "started":
                if self._at_once:
                    self._blocks[job] = []
                self._whole.start(job, time.monotonic())
                worker = f" on {event['worker']}" if "worker" in event else ""
                self._live.start(job, f"{name}{worker}", event.get("expects"))
            case "done":
                self._live.end(job)
                self._end_block(job)
                self._made.add(event["key"])
                if not self._many or event["stage"] != "parity":  # the target's own line tells
                    worker = f"   on {event['worker']}" if "worker" in event else ""
                    self._print(f"{DONE} {name:<28} {event['seconds']:>7.1f} s    {event['key'][:12]}{worker}")
            case "failed":
                self._live.end(job)
                self._end_block(job)
                self._print(f"{FAILED} {name:<28} {event['seconds']:>7.1f} s")
            case "interrupted":
                self._live.end(job)
                self._blocks.pop(job, None)

    def _end_block(self, job: str) -> None:
        for line in self._blocks.pop(job, ()):
            self._print(line)

    def _on_step(self, event: Mapping[str, Any]) -> None:
        self._live.phase(event.get("job", ""), event["text"], event.get("expects"))

    def _on_training(self, event: Mapping[str, Any]) -> None:
        """A line that changes on a terminal; elsewhere one now and then, and the last step's."""
        from bertbuild.report.training import training_line

        line = training_line(event)
        self._live.advance(event.get("job", ""), event["step"], event["steps"])
        self._live.describe(event.get("job", ""), line)
        now = time.monotonic()
        if not self._is_terminal and (now - self._told >= QUIET_SECONDS or event["step"] == event["steps"]):
            self._told = now
            self._print(f"  {self._of_job(event)}{line}")

    def _on_environment(self, event: Mapping[str, Any]) -> None:
        what = PLACES[event["isolation"]].environment if event["isolation"] in PLACES else "environment"
        name, job = f"{what} {event['backend']}", f"environment {event['backend']}"
        match event["state"]:
            case "started":
                self._print(f"  making the {name}; this happens once")
                self._live.start(job, name, event.get("expects"))
            case "line":
                if counted := _COUNTED.match(event["text"]):
                    self._live.advance(job, int(counted[1]), int(counted[2]))
                self._live.describe(job, event["text"])
            case "done":
                self._live.end(job)
                self._print(f"{DONE} {name:<28} {event['seconds']:>5.1f} s")

    def _on_download(self, event: Mapping[str, Any]) -> None:
        job = f"download {event['name']}"
        self._live.start(job, event["name"])
        self._live.advance(job, event["done"], event["total"])
        if event["done"] == event["total"]:
            self._live.end(job)
            self._print(f"{DONE} {event['name']:<28} {event['done'] / 1e6:>7.1f} MB")

    def _on_progress(self, event: Mapping[str, Any]) -> None:
        """A bar on a terminal; elsewhere a line now and then. No stage runs where the event brings its own name."""
        job = event.get("job", event.get("name", ""))
        if "name" in event:
            self._live.start(job, event["name"])
        self._live.advance(job, event["done"], event["total"])
        if "name" in event and event["done"] == event["total"]:
            self._live.end(job)
        now = time.monotonic()
        if not self._is_terminal and now - self._told >= QUIET_SECONDS:
            self._told = now
            self._print(f"  {self._of_job(event)}{100 * event['done'] // max(1, event['total'])} % done")

    def _of_job(self, event: Mapping[str, Any]) -> str:
        name = event.get("job") or event.get("model")
        return f"{name}: " if self._many and name else ""

    def _on_note(self, event: Mapping[str, Any]) -> None:
        block = self._blocks.get(event.get("job", ""))
        if block is not None:
            block.append(f"  {self._of_job(event)}{event['text']}")
        else:
            self._print(f"  {self._of_job(event)}{event['text']}")

    def _on_warning(self, event: Mapping[str, Any]) -> None:
        if not self._at_once:
            self._live.close()
        sys.stderr.write(f"warning: {self._of_job(event)}{event['text']}\n")

    def _on_verdict(self, event: Mapping[str, Any]) -> None:
        """The worst figure in one line; the whole table where the gate failed or was asked for."""
        if event["passed"] and not event.get("show_table"):
            worst = max(event["rows"], key=lambda row: row["max_abs"] / row["limit"])
            self._print(
                f"{DONE} {event['target']:<28} answers like its source: max abs {worst['max_abs']:.1e} "
                f"({worst['limit']:.0e} allowed) over {number_of(len(event['rows']), 'comparison')}{_judged_by(event)}"
            )
            answered = [Answered.from_json(one) for one in event.get("answered_by", ())]
            for line in filter(None, (told_of_default(event), *reasons(answered))):
                self._print(f"  {line}")
            return
        from bertbuild.report.tables import parity_lines, parity_table

        self._show(event, parity_table, parity_lines)

    def _on_provenance(self, event: Mapping[str, Any]) -> None:
        self._print(f"{event['name']}:")
        for mark, kind in ((DONE, "checked"), (UNKNOWN, "told")):
            for line in event[kind]:  # what is wrong ends up in the error
                self._print(f"  {mark} {line}")

    def _on_unverified(self, event: Mapping[str, Any]) -> None:
        if not self._many:
            self._print(f"{UNKNOWN} {event['target']:<28} NOT VERIFIED: {event['reason']}")

    def _on_target(self, event: Mapping[str, Any]) -> None:
        if not self._many or event["state"] == "up to date":
            return
        from bertbuild.report.targets import target_line

        self._print(target_line(event))

    def _on_reproduced(self, event: Mapping[str, Any]) -> None:
        first, *others = event["lines"]
        for line in (f"{DONE if event['reproducible'] else FAILED} {event['job']}: {first}", *others):
            self._print(line)

    def _on_failure(self, event: Mapping[str, Any]) -> None:
        """A failure that does not end the run: all its words, in one block; the same one of other jobs in a line."""
        self._live.end(event["job"])
        first = self._failures.setdefault((event["message"], event["next_step"], event["details"]), event["job"])
        if first != event["job"]:  # a scheduler that is gone, an expired certificate: of hundreds of jobs at once
            self._print(f"{FAILED} {event['job']}: as {first}")
            return
        for line in event["details"].splitlines():
            self._print(f"  | {line}")
        self._print(f"{FAILED} {event['job']}: {event['message']}")
        if event["next_step"]:
            self._print(f"  → {event['next_step']}")

    def _on_table(self, event: Mapping[str, Any]) -> None:
        from bertbuild.report.tables import plain_lines, plain_table

        self._show(event, plain_table, plain_lines)

    def _on_result(self, event: Mapping[str, Any]) -> None:
        self._live.close()
        lines = event.get("lines", ())
        for line in aligned(lines) if self._is_terminal else lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def _on_error(self, event: Mapping[str, Any]) -> None:
        self._live.close()
        sys.stdout.flush()
        for line in event["details"].splitlines():
            sys.stderr.write(f"  | {line}\n")
        sys.stderr.write(f"error: {event['message']}\n")
        if event["next_step"]:
            sys.stderr.write(f"  → {event['next_step']}\n")

    def _show(self, event: Mapping[str, Any], table: Callable[..., Table], lines: Callable[..., Iterator[str]]) -> None:
        """A table, drawn on a terminal; in a pipe its lines: whole words, with tabs between the columns."""
        if self._is_terminal:
            self._rich().print(table(event))
            return
        for line in (*lines(event), ""):
            self._print(line)

    def _print(self, line: str) -> None:
        if self._live.shown:
            self._live.print(line)
            return
        with self._printing:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        self._live.printed()

    def _rich(self) -> Console:
        if self._console is None:
            from rich.console import Console

            self._console = Console(markup=False, emoji=False)
        return self._console


def _judged_by(event: Mapping[str, Any]) -> str:
    """Who answered for the source, and the processor that the target answered on."""
    words = reference_in_words(event)
    return (f"; reference: {words}" if words else "") + judged_on(event)


def _is_told_by_its_target(event: Mapping[str, Any]) -> bool:
    """Whether of many targets the line of one tells enough of an event: there are hundreds, so none is even cleaned."""
    if event["event"] == "stage":
        return bool(event["state"] == "cached")
    return bool(event["event"] == "verdict" and event["passed"] and not event.get("show_table"))
