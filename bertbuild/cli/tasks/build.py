"""build."""

from __future__ import annotations

from pathlib import Path

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import (
    FROM,
    ISOLATION,
    JSON,
    MIRROR,
    NAMES_ARE,
    OFFLINE,
    REPLACE,
    SCHEDULER,
    build_file,
    switch,
)
from bertbuild.commands.session import Session
from bertbuild.config import CONFIG_FILE
from bertbuild.config import FETCH as FETCHES
from bertbuild.kinds.kind import REFERENCE
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Choice, Size, Text, Whole

KEEP_GOING = switch("keep_going", "after a failure, build all that does not depend on it")
DRY_RUN = switch("dry_run", "run nothing, show what would run and why")
REPRODUCIBLE = switch(
    "verify_reproducible", "after the build, run every stage once more, and compare files, graphs and numbers"
)
JOBS = Parameter(name="jobs", type=Whole(), about="how many stages run at once (default: as many as there are cores)")
MEMORY = Parameter(
    name="memory",
    type=Size(),
    written="SIZE",
    about="how much memory stages that run at once may take together, as 16g (default: what is free)",
)
FETCH = Parameter(
    name="fetch",
    type=Choice(FETCHES),
    about="which results of the remote store are brought here: targets (default), all, or none but what stages read",
)
SHARD = Parameter(
    name="shard",
    type=Text(),
    written="2/5",
    about="only this part of what is named, the second of five: models with steps in common stay together",
)


def _run(session: Session, values: Values) -> None:
    from bertbuild.buildfile.load import load_build_file
    from bertbuild.buildfile.select import select
    from bertbuild.buildfile.shard import shard

    selected = select(load_build_file(Path(values.get("file", CONFIG_FILE))), values.get("names", ()))
    selected = shard(selected, values.get(SHARD.name, ""))
    if values.get(DRY_RUN.name):
        from bertbuild.commands import dry_run as dry_runs

        dry_runs.dry_run(session, selected)
    else:
        from bertbuild.commands import build as command

        keep_going, reproducible = (bool(values.get(one.name)) for one in (KEEP_GOING, REPRODUCIBLE))
        command.build(session, selected, keep_going=keep_going, verify_reproducible=reproducible)


build = declared(
    "build",
    "Build what bertbuild.toml says: all, or what is named.",
    lambda: (KEEP_GOING, DRY_RUN, REPRODUCIBLE, SHARD),
    (
        build_file(CONFIG_FILE),
        JOBS,
        MEMORY,
        FETCH,
        SCHEDULER,
        FROM,
        MIRROR,
        ISOLATION,
        OFFLINE,
        REPLACE,
        REFERENCE,
        JSON,
    ),
    _run,
    example="'mine/*' --keep-going",
    names=f"{NAMES_ARE}: invoke build tiny 'large-*/ir-fp16'",
)
