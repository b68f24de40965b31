"""worker."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import ISOLATION, JSON, SCHEDULER, backends, build_file
from bertbuild.cli.tasks.build import JOBS, MEMORY
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Text, Whole

OFFERED = backends("those whose environments are made")
NAME = Parameter(name="name", type=Text(), about="what builds call the worker (default: this machine's name)")
DEATH_TIMEOUT = Parameter(
    name="death_timeout",
    type=Whole(),
    written="SECONDS",
    about="how long it waits for the scheduler when it starts",
    default=60,
)


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import workers as command

    offered = tuple(filter(None, values.get(OFFERED.name, "").split(",")))
    name, seconds = values.get(NAME.name, ""), values.get(DEATH_TIMEOUT.name, 60)
    command.worker(session, offered, name=name, death_timeout=seconds)


worker = declared(
    "worker",
    "Run stages that builds elsewhere ask of a scheduler, until told to end.",
    lambda: (OFFERED, NAME, DEATH_TIMEOUT),
    (build_file(), SCHEDULER, JOBS, MEMORY, ISOLATION, JSON),
    _run,
    example="--scheduler tls://scheduler.example.com --backend data",
)
