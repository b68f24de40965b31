"""The frame around every command: settings, a listener, and errors turned into a sentence and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from bertbuild.cli.wording import Worded
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.engine.executor import Report
from bertbuild.errors import BertbuildError, Interrupted
from bertbuild.parameters import check_choice
from bertbuild.plans.placing import REFERENCES
from bertbuild.report.events import JsonReporter
from bertbuild.report.run_log import Reporter, RunLog
from bertbuild.report.text import TextReporter

PIPE_CLOSED = 128 + signal.SIGPIPE


class Ended(SystemExit):
    """A command failed or was told to end; what happened has been reported."""

    code: int


@contextlib.contextmanager
def running(
    *,
    json: bool = False,
    build_file: str = "",
    replace: bool = False,
    reference: str = "",
    offline: bool = False,
    **flags: str,
) -> Iterator[Session]:
    """Give a command its session.

    Args:
        json: whether events are told as JSON.
        build_file: the file whose settings hold; empty: bertbuild.toml, where there is one.
        replace: whether a name in out/ may pass to another source.
        reference: what targets are judged by, empty where not given.
        offline: whether the network must not be used.
        flags: settings by name, empty where not given.

    Raises:
        Ended: the command failed; what happened has been reported.
    """
    signal.signal(signal.SIGTERM, _end)
    shown: Reporter = JsonReporter() if json else TextReporter()
    reporter = Worded(shown)
    try:
        check_choice("reference", (reference,), ("", *REFERENCES))
        flags |= {"offline": "true"} if offline else {}
        settings = load_settings(flags, file=Path(build_file) if build_file else None)
        reporter = Worded(RunLog(settings.artifacts / "runs", shown))
        session = Session(settings=settings, report=reporter, replace=replace, reference=reference)
        try:
            yield session
        finally:
            session.close()
    except BertbuildError as error:
        raise _ended(reporter, error) from error
    except KeyboardInterrupt as interrupt:
        raise _ended(reporter, _interrupted()) from interrupt
    except BrokenPipeError as broken:
        silence()
        raise Ended(PIPE_CLOSED) from broken
    finally:
        with contextlib.suppress(BrokenPipeError):
            reporter.close()


def stopped(*, json: bool) -> int:
    """Report that the program was told to end before its command began; gives the exit code."""
    return refused(_interrupted(), json=json)


def refused(error: BertbuildError, *, json: bool) -> int:
    """Report an error of a command that did not begin; gives the exit code."""
    return _ended(Worded(JsonReporter() if json else TextReporter()), error).code


def _interrupted() -> Interrupted:
    return Interrupted(
        "Stopped before the end.", next_step="Run the same command again: what is finished will be used."
    )


def _ended(reporter: Report, error: BertbuildError) -> Ended:
    """Report the error; gives what to raise."""
    try:
        _report(reporter, error)
    except BrokenPipeError:
        silence()
    return Ended(error.exit_code)


def silence() -> None:
    """Whoever read our output has seen enough: what is still in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(reporter: Report, error: BertbuildError) -> None:
    reporter(
        {
            "event": "error",
            "error": type(error).__name__,
            "exit_code": error.exit_code,
            "message": str(error),
            "next_step": error.next_step,
            "details": error.details,
        }
    )


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # end as by Ctrl-C: children first, then the lock, then the message
