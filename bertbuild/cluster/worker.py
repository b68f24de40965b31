"""What of ours is in a worker of Dask: its store, its isolation, the orders that it carries out and how they end."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from distributed import Reschedule, Worker, WorkerPlugin, get_worker
from distributed.worker_state_machine import GatherDepSuccessEvent

from bertbuild.cluster.orders import NAMED, TOPIC, Answer, Text, WorkOrder, short_name
from bertbuild.cluster.work import Work
from bertbuild.config import Settings
from bertbuild.isolation.base import Isolation, place
from bertbuild.remote.opening import open_remote
from bertbuild.store.store import Store

if TYPE_CHECKING:
    from bertbuild.remote.results import Results

CLOSING_SECONDS = 3.0
"""After a stage was told to end, in which the worker may be told too: by one who ends all processes of a machine."""
ENDED = ("cancelled", "released", "forgotten")
"""States of Dask's that an order comes to which nobody waits for any more."""


class Apart(Worker):  # type: ignore[misc]
    """A worker of Dask's that takes nothing from another one, which it may be unable to reach: then Dask asks for ever.

    Dask would bring the answers that an order depends on. They only say where inputs lie, and no order reads them.
    """

    async def gather_dep(
        self,
        worker: str,
        to_gather: Collection[str],
        total_nbytes: int,
        *,
        stimulus_id: str,
    ) -> GatherDepSuccessEvent:
        """See `Worker`: from now on this one has them too, since the stage's inputs are brought from elsewhere.

        Where a build asks for such an answer, which another build's order got, the token says that it is not its own.
        """
        sizes = {key: self.state.tasks[key].get_nbytes() for key in to_gather}
        data = {key: Answer(token="", worker=str(self.name), bytes=size).as_text() for key, size in sizes.items()}
        return GatherDepSuccessEvent(worker=worker, total_nbytes=total_nbytes, data=data, stimulus_id=stimulus_id)


@dataclass
class Ours(WorkerPlugin):  # type: ignore[misc]
    """Ours in a worker: made where the worker is started, and set up in its process.

    Attributes:
        settings: of the machine.
        isolation: the name of the place where stages run.
    """

    settings: Settings
    isolation: str
    name: str = NAMED
    _running: dict[str, Work] = field(default_factory=dict, init=False)

    def setup(self, worker: Worker) -> None:
        """See `WorkerPlugin`: called in the worker's process, each time that it is started."""
        self._worker, self._lock, self._closing = worker, threading.Lock(), threading.Event()
        if multiprocessing.parent_process() is not None:  # a terminal and systemd tell the nanny, and every child too
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, _leave_it_to_the_nanny)  # and not SIG_IGN, which stages would inherit
        remote = open_remote(self.settings)
        assert remote is not None  # noqa: S101 - `commands/cluster.py` has looked
        self._remote: Results = remote
        self._store = Store(self.settings.artifacts)
        with contextlib.suppress(OSError):  # what the worker before this one left, which may have been killed
            self.new_isolation().sweep(self._store.work, self._store.locks)

    def held(self) -> list[str]:
        """The results in the store."""
        return [short_name(path.parent.name, path.name) for path in self._store.objects.glob("*/*")]

    def new_isolation(self) -> Isolation:
        """A place of its own for each order, so that one can be ended without the others."""
        return place(self.isolation).isolation(self.settings)

    def carry_out(self, key: str, text: str) -> Text:
        """Carry out an order; `key` is Dask's.

        Raises:
            Reschedule: the worker closes, and another one is to carry it out.
        """
        order = WorkOrder.from_text(text)
        work = Work(order, self._store, self._remote, self.new_isolation(), str(self._worker.name), self._tell(order))
        with self._lock:
            self._running[key] = work
        try:
            answer = None if self._closing.is_set() else work.carry_out()
        finally:
            with self._lock:
                self._running.pop(key, None)
        if answer is not None and "SIGTERM" in answer.error.get("message", ""):
            self._closing.wait(CLOSING_SECONDS)
        if answer is None or (answer.error and self._closing.is_set()):
            raise Reschedule  # this worker was told to end, which is no fault of the stage
        return answer.as_text()

    def _tell(self, order: WorkOrder) -> Callable[[Mapping[str, Any]], None]:
        return lambda event: self._worker.log_event(TOPIC, {"key": order.key, "event": dict(event)})

    def transition(self, key: str, start: str, finish: str, **_kwargs: Any) -> None:
        """See `WorkerPlugin`: what nobody waits for any more is ended."""
        if start in ("executing", "resumed") and finish in ENDED:
            self._end([key])

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's
        """See `WorkerPlugin`: the worker closes, and what it began ends with it."""
        self._closing.set()
        self._end(list(self._running), wait=True)

    def _end(self, keys: list[str], *, wait: bool = False) -> None:
        with self._lock:
            found = [work for key in keys if (work := self._running.get(key))]
        threads = [threading.Thread(target=work.end) for work in found]  # each may take its seconds of grace
        for thread in threads:
            thread.start()
        for thread in threads if wait else ():
            thread.join()


def _leave_it_to_the_nanny(_number: int, _frame: FrameType | None) -> None:
    """Do nothing of a signal."""


def carry_out(text: str, *_inputs: str) -> Text:
    """Carry out an order in the worker that this is called in; the answers of `_inputs` are why it is this one."""
    worker = get_worker()
    ours = worker.plugins.get(NAMED)
    if not isinstance(ours, Ours):
        raise TypeError("this worker was not started by `bertbuild worker`")
    return ours.carry_out(worker.get_current_task(), text)
