"""What belongs to the build file, as Invoke tasks."""

from __future__ import annotations

from invoke import Context, task

from bertbuild.cli.flags import COMMON_HELP
from bertbuild.cli.frame import running


@task(auto_shortflags=False, help=COMMON_HELP)
def schema(_context: Context, json: bool = False) -> None:
    """Print the JSON Schema of bertbuild.toml, for editors that complete and check."""
    from bertbuild.commands import buildfile

    with running(json=json) as session:
        buildfile.schema(session)
