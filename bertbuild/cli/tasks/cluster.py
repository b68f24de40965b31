"""cluster."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Whole

ACTIONS = ("certificates",)
DAYS = Parameter(
    name="days", type=Whole(), written="N", about="certificates: how long they are valid, at most 3650", default=365
)


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import cluster as command

    action, *names = values.get("names") or ("",)
    if action not in ACTIONS:
        raise UsageError(
            f"cluster takes {', '.join(ACTIONS)} first{did_you_mean(action, ACTIONS)}",
            next_step="cluster --help explains them.",
        )
    if len(names) != 1:
        raise UsageError(
            f"cluster {action} takes one folder (got {len(names)} words).",
            next_step="Type it as `cluster certificates FOLDER`.",
        )
    command.certificates(session, names[0], values.get(DAYS.name, 365))


cluster = declared(
    "cluster",
    "Certificates for the machines of a cluster.",
    lambda: (DAYS,),
    (JSON,),
    _run,
    example="certificates ~/.config/bertbuild/cluster --days 90",
    names=f"The first is one of {', '.join(ACTIONS)}; then the folder, where what is there stays.",
)
