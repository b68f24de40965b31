"""The frame around every command: settings, a listener, and errors turned into a sentence and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from bertbuild.cli.warnings import told
from bertbuild.cli.wording import Worded
from bertbuild.commands.opening import Bare, error_event, interrupted, opened
from bertbuild.commands.session import Session
from bertbuild.errors import BertbuildError, Interrupted, NoSpaceError
from bertbuild.report.events import JsonReporter
from bertbuild.report.run_log import Reporter
from bertbuild.report.text import TextReporter

PIPE_CLOSED = 128 + signal.SIGPIPE
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Of an output: its disk or file takes no more."""


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
        json: whether events are printed as JSON.
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
    flags |= {"offline": "true"} if offline else {}
    try:
        with opened(
            shown, flags, build_file=build_file, replace=replace, reference=reference, worded=Worded
        ) as session:
            session.warn(told())
            yield session
    except BertbuildError as error:
        _flush()
        raise Ended(error.exit_code) from error
    except KeyboardInterrupt as interrupt:
        _flush()
        raise Ended(Interrupted.exit_code) from interrupt
    except BrokenPipeError as broken:
        silence()
        raise Ended(PIPE_CLOSED) from broken


def stopped(*, json: bool) -> int:
    """Report that the program was told to end before its command began; gives the exit code."""
    return refused(interrupted(), json=json)


def refused(error: BertbuildError, *, json: bool) -> int:
    """Report an error of a command that did not begin; gives the exit code."""
    with contextlib.suppress(BrokenPipeError):
        Bare(Worded(JsonReporter() if json else TextReporter()))(error_event(error))
    _flush()
    return error.exit_code


def _flush() -> None:
    """What was told goes out now; whoever reads it may have seen enough."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence()


def unwritable(error: OSError) -> int:
    """Report, on stderr, that the disk which stdout is on takes no more; gives the exit code."""
    silence()
    text = f"What is printed cannot be written: {error.strerror}."
    with contextlib.suppress(OSError):
        print(f"error: {text}\n  → Free space where the output goes, and run it again.", file=sys.stderr)  # noqa: T201
    return NoSpaceError.exit_code


def silence() -> None:
    """Whoever read our output has seen enough: what is still in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # end as by Ctrl-C: children first, then the lock, then the message
