"""A session opened and closed: settings read, events written to the run's log, an error reported as the last event."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bertbuild.addresses import bare, bare_value
from bertbuild.commands.session import Session
from bertbuild.config import load_settings
from bertbuild.errors import BertbuildError, Interrupted, OfflineError, UsageError
from bertbuild.parameters import check_choice
from bertbuild.plans.placing import REFERENCES
from bertbuild.report.run_log import Reporter, RunLog


@contextlib.contextmanager
def opened(
    shown: Reporter,
    flags: Mapping[str, str],
    *,
    build_file: str = "",
    replace: bool = False,
    reference: str = "",
    worded: Callable[[Reporter], Reporter] = lambda reporter: reporter,
) -> Iterator[Session]:
    """A session for one command.

    Args:
        shown: who gets its events; closed at the end.
        flags: settings by name, empty where not given.
        build_file: the file whose settings hold; empty: bertbuild.toml, where there is one.
        replace: whether a name in out/ may pass to another source.
        reference: what targets are judged by, empty where not given.
        worded: puts a reporter that changes sentences before another; the run's log gets the changed ones.

    Raises:
        BertbuildError, KeyboardInterrupt: as the command does, after it has been told; a UsageError where it raised a
            PermissionError.
    """
    reporter: Reporter = Bare(worded(shown))
    try:
        check_choice("reference", (reference,), ("", *REFERENCES))
        settings = load_settings(flags, file=Path(build_file) if build_file else None)
        reporter = Bare(worded(RunLog(settings.artifacts / "runs", shown)))
        session = Session(settings=settings, report=reporter, replace=replace, reference=reference)
        try:
            yield session
        finally:
            session.close()
    except BertbuildError as error:
        _strip(error)
        _tell(reporter, error)
        raise
    except PermissionError as error:
        if not error.filename:
            raise
        told = _without_rights(error)
        _tell(reporter, told)
        raise told from error
    except KeyboardInterrupt as interrupt:
        _tell(reporter, interrupted(*interrupt.args))
        raise
    finally:
        with contextlib.suppress(BrokenPipeError):
            reporter.close()


class Bare:
    """A reporter before another (screen and records), which gets every address without its user information."""

    def __init__(self, shown: Reporter) -> None:
        self._shown = shown

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Pass it on."""
        self._shown(bare_value(event) if "@" in repr(event) else event)  # few hold one, and verdicts are long

    def close(self) -> None:
        """Close the other."""
        self._shown.close()


def _without_rights(error: PermissionError) -> UsageError:
    """What is told of a file that a command came upon and may not use; of the store's own, the store tells."""
    return UsageError(
        f"{error.filename} may not be read or written.",
        next_step="Give yourself permission to it, or run as its owner.",
        details=str(error),
    )


def _strip(error: BertbuildError) -> None:
    """The same of an error, which a caller in Python gets."""
    error.args = tuple(map(bare_value, error.args))
    error.next_step, error.details = bare(error.next_step), bare(error.details)


def interrupted(text: str = "") -> Interrupted:
    """What is told of a command that Ctrl-C ended; `text`: of one that has no end of its own, the interrupt's word."""
    if text:
        return Interrupted(text)
    return Interrupted(
        "Stopped before the end.", next_step="Run the same command again: what is finished will be used."
    )


def error_event(error: BertbuildError) -> dict[str, Any]:
    """The event "error"; one of the network that must not be used lists what is `missing`."""
    missing = {"missing": [thing.as_json() for thing in error.lacking]} if isinstance(error, OfflineError) else {}
    return {
        **missing,
        "event": "error",
        "error": type(error).__name__,
        "exit_code": error.exit_code,
        "message": str(error),
        "next_step": error.next_step,
        "details": error.details,
    }


def _tell(reporter: Reporter, error: BertbuildError) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody reads it any more; the error is raised all the same
        reporter(error_event(error))
