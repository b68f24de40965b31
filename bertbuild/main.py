"""The `bertbuild` program: the tasks of `bertbuild.tasks`, without a tasks.py to look for."""

from __future__ import annotations

import sys

from invoke import Program

from bertbuild import __version__
from bertbuild.running import PIPE_CLOSED, silence
from bertbuild.tasks import namespace


def with_dashes(word: str) -> str:
    """A flag as this program spells it: --checkpoint_from_path=… of the Model Garden's converter with dashes."""
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value if flag.startswith("--") else word


def main() -> None:
    """Run `bertbuild TASK --flags…`; `bertbuild --list` and `bertbuild --help TASK` explain themselves."""
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
