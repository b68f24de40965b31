"""The `bertbuild` program: the tasks of `bertbuild.tasks`, without a tasks.py to look for."""

from __future__ import annotations

import sys

from invoke import Program

from bertbuild import __version__
from bertbuild.running import PIPE_CLOSED, silence
from bertbuild.tasks import namespace


def main() -> None:
    """Run `bertbuild TASK --flags…`; `bertbuild --list` and `bertbuild --help TASK` explain themselves."""
    try:
        try:
            Program(name="bertbuild", binary="bertbuild", version=__version__, namespace=namespace).run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # of --help and --list; `running` sees to those of commands
        silence()
        sys.exit(PIPE_CLOSED)
