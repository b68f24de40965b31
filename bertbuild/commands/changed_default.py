"""A target gives its head's answer unless --output says otherwise; it once gave pooled. Said where it was built so."""

from __future__ import annotations

from collections.abc import Iterator

from bertbuild.errors import StoreError
from bertbuild.heads.answers import usual
from bertbuild.heads.pooled import OUTPUT as POOLED
from bertbuild.heads.rows import HEADS
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.kind import Request
from bertbuild.plans.plan import Plan, Source
from bertbuild.store.records import read_output
from bertbuild.store.store import Store


def changed_default(store: Store, source: Source, request: Request, plan: Plan, *, of_file: bool) -> Iterator[str]:
    """A line for each target that has no --output and is, or may have been, there with another one.

    Args:
        store: with the records of what was built before.
        source: of the target.
        request: its own.
        plan: likewise.
        of_file: whether a build file asks for it: on another machine it may have been built before.
    """
    if getattr(request, "output", None) != "" or source.kind != "checkpoint":
        return
    now = usual(source.heads, pooler=source.pooler)
    once_pooled = isinstance(request, (Frozen, Ir)) and POOLED not in now
    for target in plan.targets:
        before = _recorded(store, plan.model, target.name)
        if before is None and of_file and once_pooled:
            before = POOLED
        if before is not None and set(before.split(",")) != set(now):
            of_head = f", the answer of its {HEADS[source.head.kind].what}" if source.head else ""
            yield (
                f"{plan.model}/{target.name} gives {' and '.join(now)}{of_head}; before, without --output, it gave "
                f"{before.replace(',', ' and ')}: --output {before} makes that"
            )


def _recorded(store: Store, model: str, target: str) -> str | None:
    """What the target of this name gave when it was built last; None where it was not, or that is not told."""
    try:
        return read_output(store, model, target)
    except StoreError:
        return None
