"""The `bertbuild` program: the tasks of `bertbuild.tasks`, without a tasks.py to look for."""

from __future__ import annotations

import signal
import sys

ENDING = (signal.SIGINT, signal.SIGTERM)


def with_dashes(word: str) -> str:
    """A flag as this program spells it: --checkpoint_from_path=… of the Model Garden's converter with dashes."""
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value if flag.startswith("--") else word


def main() -> None:
    """Run `bertbuild TASK --flags…`; `bertbuild --list` and `bertbuild --help TASK` explain themselves."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run()
    except KeyboardInterrupt:  # while the program is loaded; `running` sees to all that commands do
        _stopped()
    except SystemExit as end:
        if not isinstance(end.__context__, KeyboardInterrupt):
            raise
        _stopped()  # Invoke makes it exit code 1
    finally:
        for number in ENDING:  # all is said, and what the interpreter does at its end may not change the exit code
            signal.signal(number, signal.SIG_IGN)


def _run() -> None:
    from invoke import Program

    from bertbuild import __version__
    from bertbuild.running import PIPE_CLOSED, silence
    from bertbuild.tasks import namespace

    try:
        try:
            Program(name="bertbuild", binary="bertbuild", version=__version__, namespace=namespace).run(
                [sys.argv[0], *map(with_dashes, sys.argv[1:])]
            )
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # of --help and --list; `running` sees to those of commands
        silence()
        sys.exit(PIPE_CLOSED)


def _stopped() -> None:
    from bertbuild.running import stopped

    raise SystemExit(stopped(json="--json" in sys.argv))
