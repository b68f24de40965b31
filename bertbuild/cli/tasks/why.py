"""The tasks that look at what is built and would be: why, status, graph."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP, ISOLATION_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.task import task

FILE_HELP = {"file": "the build file (default: bertbuild.toml, where there is one)"}


@task(help=COMMON_HELP | ISOLATION_HELP | FILE_HELP)
def why(
    names: tuple[str, ...] = (), file: str = "", isolation: str = "", offline: bool = False, json: bool = False
) -> None:
    """Say what would run for targets, and which part of each key changed: old and new value.

    Names are models, targets, MODEL/TARGET, or a shell's patterns of these; or stages alone; default: all targets.
    """
    from bertbuild.commands import why as whys

    with running(json=json, build_file=file, isolation=isolation, offline=offline) as session:
        whys.why(session, names, file)


@task(help=COMMON_HELP | ISOLATION_HELP | FILE_HELP)
def status(file: str = "", isolation: str = "", offline: bool = False, json: bool = False) -> None:
    """Show all targets: built, stale, missing, failed; when, how long, size, parity figure, path."""
    from bertbuild.commands import status as statuses

    with running(json=json, build_file=file, isolation=isolation, offline=offline) as session:
        statuses.status(session, file)


@task(
    help=COMMON_HELP | ISOLATION_HELP | FILE_HELP | {"format": "text (default); dot, for Graphviz; mermaid"},
)
def graph(
    names: tuple[str, ...] = (),
    format: str = "text",  # noqa: A002 - the flag's name
    file: str = "",
    isolation: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Draw the jobs behind targets, and which of them would run.

    Names are models, targets, MODEL/TARGET, or a shell's patterns of these; default: all.
    """
    from bertbuild.commands import graph as graphs

    with running(json=json, build_file=file, isolation=isolation, offline=offline) as session:
        graphs.graph(session, names, file, format)
