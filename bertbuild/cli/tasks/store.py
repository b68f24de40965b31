"""The tasks about the store itself: gc, verify-store, log."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.task import task


@task(
    help=COMMON_HELP
    | {
        "keep": "what stays besides named targets: 12h, 30d (default), 4w: used since; 3: by the last 3 runs; "
        "targets: nothing",
        "dry-run": "remove nothing, show what would go",
    },
)
def gc(keep: str = "", dry_run: bool = False, json: bool = False) -> None:
    """Remove results that no named target needs and nobody used lately, with their logs and leftovers."""
    from bertbuild.commands import gc as command

    with running(json=json) as session:
        command.gc(session, keep, dry_run=dry_run)


@task(help=COMMON_HELP)
def verify_store(json: bool = False) -> None:
    """Hash every byte of every result in the store again, and look for names and records of what is gone."""
    from bertbuild.commands import gc as command

    with running(json=json) as session:
        command.verify_store(session)


@task(
    help=COMMON_HELP | {"stage": "show only the log of this stage"},
)
def log(names: tuple[str, ...] = (), stage: str = "", json: bool = False) -> None:
    """Show what stages said.

    Names are models, targets, MODEL/TARGET, a shell's patterns of these, or stages, of which the last log is shown.
    """
    from bertbuild.commands import log as logs

    with running(json=json) as session:
        logs.log(session, names, stage)
