"""remote."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON, NAMES_ARE, build_file, switch
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Location, Text

ACTIONS = ("status", "push", "pull", "gc", "keygen")
DRY_RUN = switch("dry_run", "send, bring and remove nothing, show what would be")
KEEP = Parameter(
    name="keep",
    type=Text(),
    written="AGE|targets",
    about="gc: what stays besides what targets here need: 30d (default), 4w: made since; targets: nothing",
)
KEY = Parameter(name="key", type=Location(), written="FILE", about="keygen: the new file of the private key")


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import remote as command

    action, *names = values.get("names") or ("",)
    dry_run = bool(values.get(DRY_RUN.name))
    if action not in ACTIONS or (names and action in ("gc", "keygen")):
        raise UsageError(
            f"remote takes one of {', '.join(ACTIONS)} first{did_you_mean(action, ACTIONS)}"
            if action not in ACTIONS
            else f"remote {action} takes no names (got {names[0]}).",
            next_step="remote --help explains them.",
        )
    if action == "status":
        command.status(session, names)
    elif action == "push":
        command.push(session, names, dry_run=dry_run)
    elif action == "pull":
        command.pull(session, names, values.get("file", ""), dry_run=dry_run)
    elif action == "gc":
        command.gc(session, values.get(KEEP.name, ""), dry_run=dry_run)
    else:
        command.keygen(session, values.get(KEY.name, ""))


remote = declared(
    "remote",
    "The remote store: what it has (status); results put there (push), brought (pull), removed (gc).",
    lambda: (DRY_RUN, KEEP, KEY),
    (build_file(), JSON),
    _run,
    example="push 'mine/*' --dry-run",
    names=f"The first is one of {', '.join(ACTIONS)}. {NAMES_ARE}; default: all that is built.",
)
