"""What belongs to the build file, as Invoke tasks."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.task import task


@task(help=COMMON_HELP)
def schema(json: bool = False) -> None:
    """Print the JSON Schema of bertbuild.toml, for editors that complete and check."""
    from bertbuild.commands import buildfile

    with running(json=json) as session:
        buildfile.schema(session)
