"""The `bertbuild` program: the tasks of `bertbuild.cli.tasks`, without a tasks.py to look for."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys

ENDING = (signal.SIGINT, signal.SIGTERM)
OBJECTS = 100_000
"""How many objects may be made before the collector looks for cycles. There are hardly any, and a build of hundreds of
targets with nothing to do spends a tenth of its time on looking as often as Python does by itself.
"""


def main(more: str = "") -> None:
    """Run `bertbuild TASK --flags…`; `bertbuild --list` and `bertbuild --help TASK` explain themselves.

    Args:
        more: a module that adds commands to `bertbuild.cli.tasks.TASKS`, as a checkout's `tasks.py` has some.
    """
    gc.set_threshold(OBJECTS)
    # Of a program that is loaded by half nothing can be said: who is told to end meanwhile hears it afterwards.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    from bertbuild.cli.call import run
    from bertbuild.cli.frame import PIPE_CLOSED, UNWRITABLE, Ended, silence, stopped, unwritable
    from bertbuild.cli.wording import started_by_invoke

    _open_outputs()
    _require_own_files()
    if more:
        importlib.import_module(more)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            run(sys.argv, by_invoke=started_by_invoke())
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # of --help and --list; `running` sees to those of commands
        silence()
        sys.exit(PIPE_CLOSED)
    except OSError as error:
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise
        sys.exit(unwritable(error))
    except KeyboardInterrupt:  # `running` sees to all that commands do
        sys.exit(stopped(json="--json" in sys.argv))
    except Ended:
        raise
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Invoke makes it exit code 1
            sys.exit(stopped(json="--json" in sys.argv))
        raise
    finally:
        for number in ENDING:  # all is said, and what the interpreter does at its end may not change the exit code
            signal.signal(number, signal.SIG_IGN)


def _open_outputs() -> None:
    """Where the program was started without outputs, as by some daemons, what it prints goes nowhere."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - the same


def _require_own_files() -> None:
    """End with a sentence where the program's own files cannot be read."""
    from bertbuild import project

    if project.whole():
        return
    from bertbuild.cli.frame import refused
    from bertbuild.errors import UsageError

    error = UsageError(
        f"bertbuild's own files cannot be read: {project.PACKAGE_FOLDER} is inside an archive, or incomplete.",
        next_step="Install the wheel into a folder: pip install WHEEL. Or start it from a checkout.",
    )
    sys.exit(refused(error, json="--json" in sys.argv))
