"""The task that makes a page of a run."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.task import task


@task(
    help=COMMON_HELP
    | {
        "run": "which run: the name of a log in artifacts/runs/ (default: the last)",
        "to": "the file to write (default: artifacts/reports/RUN.html)",
    },
)
def report(run: str = "", to: str = "", json: bool = False) -> None:
    """Make one HTML page of a run: timeline, graph, parity figures, versions, failures."""
    from bertbuild.commands import report as command

    with running(json=json) as session:
        command.report(session, run, to)
