"""The tasks that look at what is built and would be: why, status, graph."""

from __future__ import annotations

from invoke import Context, task

from bertbuild.cli.flags import COMMON_HELP, ISOLATION_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.names import TaskOfNames

FILE_HELP = {"file": "the build file (default: bertbuild.toml, where there is one)"}


@task(
    auto_shortflags=False,
    positional=["name"],
    help=COMMON_HELP
    | ISOLATION_HELP
    | FILE_HELP
    | {"name": "a target, a model (all of its targets), MODEL/TARGET, a pattern of these; or a stage"},
)
def why(
    _context: Context, name: str, file: str = "", isolation: str = "", offline: bool = False, json: bool = False
) -> None:
    """Say what would run for a target, and which part of each key changed: old and new value."""
    from bertbuild.commands import why as whys

    with running(json=json, build_file=file, isolation=isolation, offline=offline) as session:
        whys.why(session, name, file)


@task(auto_shortflags=False, help=COMMON_HELP | ISOLATION_HELP | FILE_HELP)
def status(_context: Context, file: str = "", isolation: str = "", offline: bool = False, json: bool = False) -> None:
    """Show all targets: built, stale, missing, failed; when, how long, size, parity figure, path."""
    from bertbuild.commands import status as statuses

    with running(json=json, build_file=file, isolation=isolation, offline=offline) as session:
        statuses.status(session, file)


@task(
    auto_shortflags=False,
    klass=TaskOfNames,
    help=COMMON_HELP | ISOLATION_HELP | FILE_HELP | {"format": "text (default); dot, for Graphviz; mermaid"},
)
def graph(
    _context: Context,
    names: tuple[str, ...] = (),
    format: str = "text",  # noqa: A002 - the flag's name
    file: str = "",
    isolation: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Draw the jobs behind targets, and which of them would run.

    Names are as of why: a target, a model, MODEL/TARGET, a pattern of these; default: all.
    """
    from bertbuild.commands import graph as graphs

    with running(json=json, build_file=file, isolation=isolation, offline=offline) as session:
        graphs.graph(session, names, file, format)
