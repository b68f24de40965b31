"""What the engine asks of other machines: that one of them makes a result, and puts it into the remote store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bertbuild.engine.order import Order
from bertbuild.plans.plan import Step

OnStage = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a worker came to a result.

    Attributes:
        worker: its name.
        ran: whether its stage was run for this; else the result was there.
        seconds: that the worker took.
        bytes: of the result's files.
        facts: what the stage says it took: `peak_memory`, `cpu_seconds`.
        log: what the stage said, as its log has it; empty where it was not run.
    """

    worker: str
    ran: bool
    seconds: float
    bytes: int
    facts: Mapping[str, Any]
    log: str


class Dispatcher(Protocol):
    """Workers on other machines. Several threads may ask for different results at once."""

    @property
    def most(self) -> int:
        """How many results are asked for at once, at most."""

    def make(self, order: Order, step: Step, *, memory: int, run: str, on_event: OnStage) -> Made:
        """Have a worker make a result, and put it into the remote store.

        Args:
            order: what is wanted; its sources are files here, or results here or in the remote store.
            step: that makes it.
            memory: bytes that its stage is expected to take.
            run: the id of this run.
            on_event: gets what the stage says, first of all `{"event": "started", "worker": NAME}`.

        Raises:
            StageError and others: as the stage does on the worker.
            ClusterError: no worker can make it, or those that were at it are gone.
            RemoteError: what it is made of could not be put into the remote store.
            Interrupted: `end` was called.
        """

    def end(self) -> None:
        """Cancel all that was asked for in other threads."""
