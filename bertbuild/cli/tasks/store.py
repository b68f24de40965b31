"""The commands about the store itself: gc, verify-store, log."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON, NAMES_ARE, switch
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Name, Text

KEEP = Parameter(
    name="keep",
    type=Text(),
    written="AGE|COUNT|targets",
    about="what stays besides named targets: 12h, 30d (default), 4w: used since; 3: by the last 3 runs; "
    "targets: nothing",
)
DRY_RUN = switch("dry_run", "remove nothing, show what would go")
STAGE = Parameter(name="stage", type=Name(), about="show only the log of this stage")


def _gc(session: Session, values: Values) -> None:
    from bertbuild.commands import gc as command

    command.gc(session, values.get(KEEP.name, ""), dry_run=bool(values.get(DRY_RUN.name)))


def _verify_store(session: Session, _values: Values) -> None:
    from bertbuild.commands import gc as command

    command.verify_store(session)


def _log(session: Session, values: Values) -> None:
    from bertbuild.commands import log as logs

    logs.log(session, values.get("names", ()), values.get(STAGE.name, ""))


gc = declared(
    "gc",
    "Remove results that no named target needs and nobody used lately, with their logs and leftovers.",
    lambda: (KEEP, DRY_RUN),
    (JSON,),
    _gc,
    example="--keep 14d --dry-run",
)
verify_store = declared(
    "verify-store",
    "Hash every byte of every result in the store again, and look for names and records of what is gone.",
    tuple,
    (JSON,),
    _verify_store,
)
log = declared(
    "log",
    "Show what stages said.",
    lambda: (STAGE,),
    (JSON,),
    _log,
    example="minilm-l6/ir-fp32 --stage freeze",
    names=f"{NAMES_ARE}, or stages, of which the last log is shown.",
)
