"""The `bertbuild` program: the tasks of `bertbuild.tasks`, without a tasks.py to look for."""

from __future__ import annotations

from invoke import Program

from bertbuild import __version__
from bertbuild.tasks import namespace


def main() -> None:
    """Run `bertbuild TASK --flags…`; `bertbuild --list` and `bertbuild --help TASK` explain themselves."""
    Program(name="bertbuild", binary="bertbuild", version=__version__, namespace=namespace).run()
