"""The tasks that look at what is built and would be: why, status, graph."""

from __future__ import annotations

from invoke import Context, task

from bertbuild.flags import COMMON_HELP, ISOLATION_HELP
from bertbuild.running import running

FILE_HELP = {"file": "the build file (default: bertbuild.toml, where there is one)"}


@task(
    auto_shortflags=False,
    positional=["name"],
    help=COMMON_HELP
    | ISOLATION_HELP
    | FILE_HELP
    | {"name": "a target, a model (all of its targets), MODEL/TARGET, a pattern of these; or a stage"},
)
def why(_context: Context, name: str, file: str = "", isolation: str = "", json: bool = False) -> None:
    """Say what would run for a target, and which part of each key changed: old and new value."""
    from bertbuild.commands import why as whys

    with running(json=json, isolation=isolation) as session:
        whys.why(session, name, file)
