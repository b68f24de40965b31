"""What a worker does with an order: checks that it is of its kind, brings inputs, runs the stage, puts the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bertbuild import __version__
from bertbuild.cluster.files import FILED, taken
from bertbuild.cluster.orders import Answer, Given, WorkOrder, told_of
from bertbuild.engine.elsewhere import Elsewhere
from bertbuild.engine.executor import Maker
from bertbuild.engine.order import figures_of
from bertbuild.errors import BertbuildError, ClusterError, RemoteError
from bertbuild.isolation.base import Isolation
from bertbuild.plans.plan import File, Step
from bertbuild.remote.bringing import bring
from bertbuild.remote.protocols import LOST, OTHER, result_name
from bertbuild.remote.results import Results
from bertbuild.remote.statement import Statement
from bertbuild.stages import INSTRUCTIONS, STAGES
from bertbuild.store.store import Store, StoredObject

OnEvent = Callable[[Mapping[str, Any]], None]
LOG_BYTES = 1 << 18
"""Of a log, its end, at most: it travels with the answer."""
PASSED_ON = ("step", "progress", "training", "note", "warning")
"""Events of a stage that the build is told."""


class Work:
    """One order, carried out in a place of its own, so that it can be ended alone."""

    def __init__(
        self, order: WorkOrder, store: Store, remote: Results, isolation: Isolation, worker: str, on_event: OnEvent
    ) -> None:
        """`worker`: the name of the worker; `on_event` gets what the stage says."""
        self._order, self._store, self._remote, self._worker = order, store, remote, worker
        self._on_event, self._began = on_event, False
        reads = bool(remote.trusted)
        elsewhere = Elsewhere(remote, store, self._hear, reads=reads, writes=False, fetch="all", trusted=remote.trusted)
        self._maker = Maker(store, isolation, self._hear, order.run, elsewhere)

    def end(self) -> None:
        """End it, with all that it started."""
        self._maker.end()

    def carry_out(self) -> Answer:
        """Make the result, and put it into the remote store."""
        began = time.monotonic()
        try:
            self._check()
            stored, log = self._made()
        except BertbuildError as error:
            return self._answer(began, error=told_of(error))
        except Exception as error:  # noqa: BLE001 - the build is told of a bug here in words too
            told = ClusterError("The worker failed.", details=f"{type(error).__name__}: {error}")
            return self._answer(began, error=told_of(told))
        facts = figures_of(stored) if isinstance(stored, StoredObject) else {"bytes": stored.size}
        count = facts.pop("bytes")
        return self._answer(began, ran=self._began, bytes=count, facts=facts if self._began else {}, log=log)

    def _answer(self, began: float, **more: Any) -> Answer:
        seconds = time.monotonic() - began
        return Answer(token=self._order.token, worker=self._worker, seconds=seconds, **more)

    def _hear(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "stage" and event["state"] == "started":
            self._began = True
            self._on_event({"event": "started", "worker": self._worker})
        elif event["event"] in PASSED_ON:
            self._on_event({name: value for name, value in event.items() if name not in ("job", "model", "expects")})

    def _check(self) -> None:
        """Refuse an order of another kind than this worker's.

        Raises:
            ClusterError: another version of bertbuild, of the stage's code or of its environment.
        """
        order = self._order
        step = "Give all machines of the cluster the same version of bertbuild."
        if order.version != __version__:
            raise ClusterError(
                f"The order is of bertbuild {order.version}, the worker's is {__version__}.", next_step=step
            )
        if order.stage not in STAGES or self._maker.code(order.stage) != order.code:
            raise ClusterError(f"The code of the stage {order.stage} is another one on the worker.", next_step=step)
        if not self._maker.is_ready(order.backend):
            raise ClusterError(
                f"The worker has no environment {order.backend} any more.",
                next_step=f"Start it again with --backend {order.backend}.",
            )
        pinned = {name: value for name, value in order.environment.items() if name != INSTRUCTIONS}
        if self._maker.environment(order.backend) != pinned:
            raise ClusterError(
                f"The environment {order.backend} is another one on the worker.",
                next_step="Give all machines the same version of bertbuild and the same isolation, and make it again.",
            )

    def _made(self) -> tuple[StoredObject | Statement, str]:
        """The result, which the remote store has then; and what its stage said."""
        told = self._order
        there = self._remote.look([result_name(told.stage, told.key)]).get(result_name(told.stage, told.key))
        if isinstance(there, Statement):
            return there, ""
        found = self._store.find(told.stage, told.key)
        log = ""
        if found is None:
            inputs = {name: self._input(one) for name, one in told.inputs.items()}
            step = Step(
                id=told.told["id"],
                stage=told.stage,
                inputs={},
                params=dict(told.params),
                limits=dict(told.limits),
                backend=told.backend,
            )
            order = self._maker.order(step, inputs, told.told)
            if order.key != told.key:
                differs = _difference(order.parts, told)
                raise ClusterError(
                    f"The order {told.stage} {told.key[:12]} is not made of what it says ({differs}).",
                    next_step="Build again; if it stays so, give all machines the same version of bertbuild.",
                )
            found = self._maker.made(order, step)
            log = self._log()
        return self._put(found), log

    def _input(self, given: Given) -> File | StoredObject:
        if given.stage == FILED:
            return taken(given, self._store, self._remote)
        stored = self._store.find(given.stage, given.key)
        if stored is None or stored.digest != given.digest:
            stored = bring(self._remote, self._store, given.stage, given.key, on_wait=lambda _text: None)
        if stored.digest != given.digest:
            raise RemoteError(
                f"The remote store {self._remote.address} has another {given.stage} {given.key[:12]} than the build.",
                next_step="Two builds made it at the same time, and differently; run the same command again.",
            )
        return stored

    def _put(self, stored: StoredObject) -> StoredObject | Statement:
        """Put a result into the remote store; gives the one that is there."""
        result = self._remote.push(stored)
        if result.state not in (OTHER, LOST):
            return stored
        for line in result.differences:
            text = f"not reproducible: {self._remote.address} has another {stored.stage}, which stays: {line}"
            self._on_event({"event": "warning", "text": text})
        return self._remote.statement(result.name)

    def _log(self) -> str:
        """The end of the stage's log."""
        paths = sorted(self._store.logs.glob(f"*-{self._order.stage}-{self._order.key[:12]}.log"))
        if not self._began or not paths:
            return ""
        return _end(paths[-1])


def _end(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LOG_BYTES))
        return file.read().decode("utf-8", errors="replace")


def _difference(parts: Mapping[str, Any], order: WorkOrder) -> str:
    """What the worker's key is made of that the order's is not."""
    theirs = {
        "environment": dict(order.environment),
        "inputs": {name: one.digest for name, one in order.inputs.items()},
        "params": dict(order.params),
    }
    return next((name for name, value in theirs.items() if parts[name] != value), "key")
