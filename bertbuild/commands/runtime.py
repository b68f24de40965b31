"""What is built, asked by another backend, or version of it, than the one that its record names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bertbuild.backends import BACKENDS, canonical
from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import Plan, Step
from bertbuild.store.records import Record


def asked_by(records: Sequence[Record], runtime: str, *, named: bool) -> list[Record]:
    """Records whose targets answer by another version of the backend that they answer by, or by a backend that asks its
    targets too; without one, as they are.

    Args:
        records: of what is to be asked.
        runtime: the backend that answers, as `openvino@2026.4` or `hf-torch`; "" for the one on record.
        named: whether names were given; else targets that another backend answers for are left out.

    Raises:
        UsageError: there is no such backend, or it cannot answer for what was named.
    """
    if not runtime:
        return list(records)
    backend = canonical(runtime)
    if backend not in BACKENDS:
        raise UsageError(
            f"There is no backend {runtime}{did_you_mean(runtime, BACKENDS)}",
            next_step=f"There are {', '.join(BACKENDS)}.",
        )
    row = BACKENDS[backend]
    asked = row.asks_too or row.folder
    can = [record for record in records if BACKENDS[_answering(record)].folder == asked]
    cannot = [record for record in records if record not in can]
    if not can or (cannot and named):
        first = cannot[0]
        raise UsageError(
            f"{first.model}/{first.target.name} is asked by {_answering(first)}; --runtime {runtime} cannot ask it.",
            next_step=f"Name targets that a version of {asked} asks: their names are in invoke status.",
        )
    return [replace(record, plan=_answered_by(record, backend)) for record in can]


def _answering(record: Record) -> str:
    return backend_of(record.plan.step(record.target.answers))


def _answered_by(record: Record, backend: str) -> Plan:
    def answered(step: Step) -> Step:
        other = BACKENDS[backend].asks_too
        return replace(step, stage=f"{backend}-infer") if other else replace(step, backend=backend)

    steps = (answered(step) if step.id == record.target.answers else step for step in record.plan.steps)
    return replace(record.plan, steps=tuple(steps))
