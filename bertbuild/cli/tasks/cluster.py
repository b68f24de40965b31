"""cluster."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import ISOLATION, JSON, SCHEDULER, backends, build_file
from bertbuild.cli.tasks.build import JOBS, MEMORY
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Text, Whole

ACTIONS = ("certificates", "scheduler", "local")
DAYS = Parameter(
    name="days", type=Whole(), written="N", about="certificates: how long they are valid, at most 3650", default=365
)
WORKERS = Parameter(name="workers", type=Whole(), written="N", about="local: how many workers there are", default=2)
DASHBOARD = Parameter(
    name="dashboard",
    type=Text(),
    written="HOST:PORT",
    about="scheduler: where Dask's pages are shown, to all who reach it (default: nowhere)",
)
OFFERED = backends("local: those whose environments are made")


def _run(session: Session, values: Values) -> None:
    action, *names = values.get("names") or ("",)
    if action not in ACTIONS:
        raise UsageError(
            f"cluster takes one of {', '.join(ACTIONS)} first{did_you_mean(action, ACTIONS)}",
            next_step="cluster --help explains them.",
        )
    if action == "certificates":
        _certificates(session, names, values.get(DAYS.name, 365))
        return
    if names:
        raise UsageError(f"cluster {action} takes no names (got {names[0]}).", next_step="cluster --help explains it.")
    from bertbuild.commands import workers as command

    if action == "scheduler":
        command.scheduler(session, dashboard=values.get(DASHBOARD.name, ""))
    else:
        offered = tuple(filter(None, values.get(OFFERED.name, "").split(",")))
        command.local(session, offered, workers=values.get(WORKERS.name, 2))


def _certificates(session: Session, names: list[str], days: int) -> None:
    from bertbuild.commands import cluster as command

    if len(names) != 1:
        raise UsageError(
            f"cluster certificates takes one folder (got {len(names)} words).",
            next_step="Type it as `cluster certificates FOLDER`.",
        )
    command.certificates(session, names[0], days)


cluster = declared(
    "cluster",
    "Machines that run stages: their certificates, their scheduler, or all on this machine (local).",
    lambda: (DAYS, WORKERS, DASHBOARD, OFFERED),
    (build_file(), SCHEDULER, JOBS, MEMORY, ISOLATION, JSON),
    _run,
    example="certificates ~/.config/bertbuild/cluster --days 90",
    names=f"The first is one of {', '.join(ACTIONS)}; after certificates the folder, where what is there stays.",
)
