"""The results of a run's jobs, asked of the remote store before the jobs are settled: a wave a step of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bertbuild.engine.executor import Maker
from bertbuild.engine.order import Order
from bertbuild.engine.remote_object import RemoteObject
from bertbuild.store.store import StoredObject

if TYPE_CHECKING:
    from bertbuild.engine.elsewhere import Elsewhere

Known = Mapping[str, StoredObject]
"""Results by the ids of their jobs, as far as they are found before the jobs are settled."""


class Foreseen(Protocol):
    """A job whose key can be known before it is settled."""

    id: str

    def order_ahead(self, known: Known, is_ready: Callable[[str], bool]) -> Order | None:
        """What it would make, where all that it needs is known and its backend's environment is there."""


class LookAhead:
    """The jobs whose results nobody has looked for."""

    def __init__(self, maker: Maker, elsewhere: Elsewhere) -> None:
        self._maker, self._elsewhere = maker, elsewhere
        self._waiting: list[Foreseen] = []
        self._known: dict[str, StoredObject] = {}

    def add(self, job: Foreseen) -> None:
        """A job that was planned, after those that it needs."""
        self._waiting.append(job)

    def __call__(self) -> None:
        """Look for all results whose keys are known, then for those whose keys follow from them, and so on."""
        ready: dict[str, bool] = {}

        def is_ready(backend: str) -> bool:
            if backend not in ready:
                ready[backend] = self._maker.is_ready(backend)
            return ready[backend]

        while True:
            orders = [(job, job.order_ahead(self._known, is_ready)) for job in self._waiting]
            wave = [order for job, order in orders if order is not None and not self._looked_for(job, order)]
            unknown = {order.key for order in wave}
            self._waiting = [job for job, order in orders if order is None or order.key in unknown]
            if not wave:
                return
            self._elsewhere.ask((order.stage, order.key) for order in wave)

    def _looked_for(self, job: Foreseen, order: Order) -> bool:
        """Whether it is known if there is what a job makes, here or in the remote store."""
        found = self._maker.store.find(order.stage, order.key)
        if found is None and not self._elsewhere.asked(order.stage, order.key):
            return False
        statement = self._elsewhere.statement(order.stage, order.key)
        if found is None and statement is not None:
            found = RemoteObject(statement, Path(), _nothing_to_bring)
        if found is not None:
            self._known[job.id] = found
        return True


def _nothing_to_bring() -> StoredObject:
    """What is only looked at is not brought.

    Raises:
        AssertionError: always.
    """
    raise AssertionError("what is looked at ahead of its job has no files")
