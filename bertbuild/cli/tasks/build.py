"""build, as an Invoke task."""

from __future__ import annotations

from pathlib import Path

from bertbuild.cli.flags import COMMON_HELP, FROM, ISOLATION_HELP, MIRROR, REFERENCE_HELP, REPLACE_HELP, help_of
from bertbuild.cli.frame import running
from bertbuild.cli.task import task


@task(
    help=COMMON_HELP
    | REPLACE_HELP
    | REFERENCE_HELP
    | ISOLATION_HELP
    | help_of(FROM, MIRROR)
    | {
        "file": "the build file (default: bertbuild.toml)",
        "verify-reproducible": "after the build, run every stage once more, and compare files, graphs and numbers",
        "keep-going": "after a failure, build all that does not depend on it",
        "dry-run": "run nothing, show what would run and why",
        "jobs": "how many stages run at once (default: as many as there are cores)",
        "memory": "how much memory stages that run at once may take together, as 16g (default: what is free)",
    },
)
def build(
    names: tuple[str, ...] = (),
    file: str = "bertbuild.toml",
    keep_going: bool = False,
    dry_run: bool = False,
    verify_reproducible: bool = False,
    jobs: str = "",
    memory: str = "",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    reference: str = "",
    json: bool = False,
) -> None:
    """Build what bertbuild.toml says: all, or what is named.

    Names are models, targets, model/target, or a shell's patterns of these: invoke build tiny 'large-*/ir-fp16'
    """
    from bertbuild.buildfile.load import load_build_file
    from bertbuild.buildfile.select import select

    settings = {"isolation": isolation, "local": from_, "mirror": mirror, "jobs": jobs, "memory": memory}
    with running(
        json=json, reference=reference, replace=replace, offline=offline, build_file=file, **settings
    ) as session:
        selected = select(load_build_file(Path(file)), names)
        if dry_run:
            from bertbuild.commands import dry_run as dry_runs

            dry_runs.dry_run(session, selected)
        else:
            from bertbuild.commands import build as command

            command.build(session, selected, keep_going=keep_going, verify_reproducible=verify_reproducible)
