"""The developers' commands, beside those of the program where this is loaded, as a checkout's `tasks.py` does."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP, OFFLINE_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.task import task
from bertbuild.cli.tasks import TASKS


@task(
    help=COMMON_HELP
    | OFFLINE_HELP
    | {"check": "write nothing; fail where a lock file drifted", "upgrade": "take the newest versions allowed"},
)
def lock(check: bool = False, upgrade: bool = False, offline: bool = False, json: bool = False) -> None:
    """Resolve each docker/*/requirements.in into its lock file, every package with its hashes."""
    from bertbuild.development import locks

    with running(json=json, offline=offline) as session:
        locks.lock(session, check=check, upgrade=upgrade)


@task(
    help=COMMON_HELP
    | {
        "suite": "unit: no network, no engine; integration: real backends; docker; faults; browser; "
        "host: all but docker; default: all",
        "whole": "also what CI has no time for, and the high counts of faults (hours)",
    },
)
def test(suite: str = "all", whole: bool = False, json: bool = False) -> None:
    """Run the tests."""
    from bertbuild.development import checks

    with running(json=json) as session:
        checks.test(session, suite, whole=whole)


@task(help=COMMON_HELP)
def lint(json: bool = False) -> None:
    """Run ruff, mypy and import-linter."""
    from bertbuild.development import checks

    with running(json=json) as session:
        checks.lint(session)


TASKS |= {command.name: command for command in (lock, test, lint)}
