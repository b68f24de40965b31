"""A build's side of a cluster: its steps as orders to workers, what these say meanwhile, and their answers."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bertbuild.backends import BACKENDS
from bertbuild.cluster.files import put
from bertbuild.cluster.holdings import Holdings
from bertbuild.cluster.orders import MEMORY, TOPIC, Answer, Given, WorkOrder, environment_resource, processor_resource
from bertbuild.cluster.settings import Address, silence_dask
from bertbuild.engine.dispatch import Made, OnStage
from bertbuild.engine.order import Order
from bertbuild.errors import BertbuildError, ClusterError, Interrupted
from bertbuild.plans.plan import File, Step
from bertbuild.plural import number_of
from bertbuild.remote.protocols import result_name
from bertbuild.remote.results import Results
from bertbuild.stages import INSTRUCTIONS
from bertbuild.store.store import Store

if TYPE_CHECKING:
    from distributed import Client, Future, Security

MOST = 512
"""Orders at once: each has a thread that waits."""
CONNECT_SECONDS = 10.0
WAIT_SECONDS = 60.0
"""For a worker that can, where there was one, or where there is none at all yet."""
ASK_SECONDS = 1.0
"""After which the scheduler is asked again what workers there are."""
RESUME = "Run the same command again: it goes on from what is finished."

Workers = Mapping[str, Mapping[str, Any]]
"""By address, what the scheduler says of each."""


class Cluster:
    """Workers that a scheduler knows; see `Dispatcher`. The scheduler is asked once there is something to do."""

    def __init__(
        self,
        address: Address,
        security: Callable[[], Security | None],
        store: Store,
        remote: Results,
        note: Callable[[str], None],
    ) -> None:
        """`security`: gives the certificates; `note` is told what a person who waits should know."""
        self._address, self._security, self._note = address, security, note
        self._store, self._remote = store, remote
        self._lock = threading.Lock()
        self._heard: dict[str, list[OnStage]] = {}
        self._futures: dict[str, Future] = {}
        self._given: dict[tuple[str, str], Given] = {}
        self._sending: dict[tuple[str, str], threading.Lock] = {}
        self._seen: set[str] = set()
        self._holdings = Holdings()
        self._refused: BertbuildError | None = None
        self._last_workers: tuple[float, Workers] = (0.0, {})
        self._ending = False

    @property
    def most(self) -> int:
        """See `Dispatcher`."""
        return MOST

    def _connected(self) -> Client:
        """The connection, which is tried once.

        Raises:
            UsageError: a certificate is not right.
            ClusterError: the scheduler does not answer.
        """
        with self._lock:
            if self._ending:
                raise Interrupted("Stopped before the end.")
            if self._refused is not None:
                raise type(self._refused)(
                    str(self._refused), next_step=self._refused.next_step, details=self._refused.details
                )
            try:
                return self._client
            except BertbuildError as error:
                self._refused = error
                raise

    @cached_property
    def _client(self) -> Client:
        from distributed import Client

        from bertbuild.cluster.security import tls_failure

        silence_dask()
        try:
            client = Client(
                str(self._address),
                security=self._security(),
                timeout=CONNECT_SECONDS,
                set_as_default=False,
                name="bertbuild",
            )
        except (OSError, ValueError, TimeoutError) as error:
            refused = tls_failure(error, str(self._address))
            if refused is not None:
                raise refused from error
            raise ClusterError(
                f"The scheduler {self._address} does not answer.",
                next_step="Start one with `bertbuild cluster scheduler`; or build here: leave --scheduler out.",
                details=str(error),
            ) from error
        client.subscribe_topic(TOPIC, self._on_event)
        return client

    def _on_event(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Something that a worker says of an order, be it ours or of another build that wants the same."""
        _, said = event
        for listener in list(self._heard.get(said["key"], ())):
            listener(said["event"])

    def make(self, order: Order, step: Step, *, memory: int, run: str, on_event: OnStage) -> Made:
        """See `Dispatcher`."""
        client = self._connected()
        inputs = {name: self._input(source, run) for name, source in order.sources.items()}
        with self._listening(order.key, on_event):
            number = 1
            while True:
                resources = self._resources(client, order, memory)
                answer, ours = self._asked(client, order, step, inputs, resources, run, number)
                if not answer.error and (ours or self._remote.has([result_name(order.stage, order.key)])):
                    break
                if ours:
                    raise answer.failure()
                number += 1  # Dask gave what another build got for this key, maybe long ago
        return Made(
            worker=answer.worker,
            ran=answer.ran and ours,
            seconds=answer.seconds,
            bytes=answer.bytes,
            facts=answer.facts,
            log=answer.log,
        )

    @contextlib.contextmanager
    def _listening(self, key: str, on_event: OnStage) -> Iterator[None]:
        self._heard.setdefault(key, []).append(on_event)
        try:
            yield
        finally:
            self._heard[key].remove(on_event)

    def _input(self, source: Any, run: str) -> Given:
        if not isinstance(source, File):
            return Given(stage=source.stage, key=source.key, digest=source.digest)
        known = (str(source.path), source.digest)
        with self._lock:
            sending = self._sending.setdefault(known, threading.Lock())
        with sending:  # one sends it; who else needs it waits, and nobody else
            if known not in self._given:
                self._given[known] = put(source, self._store, self._remote, run)
            return self._given[known]

    def _asked(
        self,
        client: Client,
        order: Order,
        step: Step,
        inputs: Mapping[str, Given],
        resources: Mapping[str, float],
        run: str,
        number: int,
    ) -> tuple[Answer, bool]:
        """Submit an order, and wait; the answer, and whether it is to this very order."""
        from bertbuild.cluster.worker import carry_out

        work = WorkOrder(
            token=uuid.uuid4().hex,
            stage=order.stage,
            backend=order.backend,
            params=step.params,
            limits=step.limits,
            inputs=inputs,
            code=order.parts["code"],
            environment=order.parts["environment"],
            key=order.key,
            told=dict(order.told),
            run=run,
        )
        held = self._held(client, order, inputs)
        future = client.submit(
            carry_out,
            work.as_text(),
            *held,
            key=f"{order.stage}-{order.key}-{number}",
            resources=dict(resources),
            pure=False,
        )
        with self._lock:
            self._futures[order.key] = future
            ending = self._ending
        try:
            if ending:
                self.end()
            answer = Answer.from_text(future.result())
        except BaseException as error:
            self._forget(order.key)
            if isinstance(error, Exception):
                raise self._failure(order, error) from error
            raise
        if answer.error:
            self._forget(order.key)
        return answer, answer.token == work.token

    def _held(self, client: Client, order: Order, inputs: Mapping[str, Given]) -> list[Future]:
        """Of its inputs, what Dask knows to be with a worker; and of the result, which its worker may not have sent."""
        ours = [self._futures[one.key] for one in inputs.values() if one.key in self._futures]
        others = [(one.stage, one.key) for one in inputs.values() if one.key not in self._futures]
        return ours + self._holdings.marks(client, [*others, (order.stage, order.key)])

    def _forget(self, key: str) -> None:
        """Let go of what failed, so that Dask forgets it too."""
        with self._lock:
            future = self._futures.pop(key, None)
        if future is not None:
            with contextlib.suppress(Exception):
                future.release()

    def _failure(self, order: Order, error: Exception) -> BertbuildError:
        """What Dask says of an order that has no answer."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        if self._ending:
            return Interrupted("Stopped before the end.")
        if isinstance(error, KilledWorker):
            return ClusterError(
                f"The workers that were given {order.stage} died, {error.allowed_failures + 1} of them; the last was "
                f"{error.last_worker.name}.",
                next_step="See its machine's log: memory may have run out, or a disk. Then run the same command again.",
            )
        if isinstance(error, CancelledError) or "FutureCancelledError" in type(error).__name__:
            return ClusterError(f"The scheduler {self._address} is gone.", next_step=RESUME)
        if type(error).__name__ in ("NoValidWorkerError", "NoWorkerError"):
            return self._nobody(order, self._workers(self._client))
        return ClusterError(
            f"The worker could not carry out {order.stage}.",
            next_step="Install the same version of bertbuild on all machines, and start workers by `bertbuild worker`.",
            details=f"{type(error).__name__}: {error}",
        )

    def _workers(self, client: Client) -> Workers:
        workers: Workers = client.scheduler_info(n_workers=-1)["workers"]
        return workers

    def _resources(self, client: Client, order: Order, memory: int) -> dict[str, float]:
        """What a worker must have for an order; waits where there is none now and may be again.

        Raises:
            ClusterError: no worker has it.
        """
        needed = [environment_resource(order.backend, order.parts["environment"])]
        if INSTRUCTIONS in order.parts["environment"]:
            needed.append(processor_resource(order.parts["environment"][INSTRUCTIONS]))
        since, told = time.monotonic(), False
        asked, workers = self._last_workers
        is_new = time.monotonic() - asked > ASK_SECONDS
        while True:
            if is_new:
                workers = self._workers(client)
                self._holdings.ask(client, workers)
                # Only now: an order that comes meanwhile asks, and waits, too.
                self._last_workers = time.monotonic(), workers
            fit = [one["resources"] for one in workers.values() if all(name in one["resources"] for name in needed)]
            if fit:
                self._seen.update(needed)
                # More than any worker has is asked of the largest, which then runs nothing beside it.
                most = max(one.get(MEMORY, 0) for one in fit)
                return {MEMORY: min(memory, most), **dict.fromkeys(needed, 1)}
            if self._ending:
                raise Interrupted("Stopped before the end.")
            if not is_new:
                is_new = True
                continue
            may_come = not workers or set(needed) <= self._seen
            if not may_come or time.monotonic() - since > WAIT_SECONDS:
                raise self._nobody(order, workers)
            if not told:
                self._note(f"{order.stage} waits for a worker with {order.backend} at {self._address}")
                told = True
            time.sleep(0.25)

    def _nobody(self, order: Order, workers: Workers) -> ClusterError:
        environment = environment_resource(order.backend, order.parts["environment"])
        having = [one for one in workers.values() if any(_is_of(order.backend, name) for name in one["resources"])]
        if not workers:
            text = f"The scheduler {self._address} has no worker."
            step = "Start one: bertbuild worker --scheduler …, on each machine."
        elif not having:
            text = f"No worker has {order.backend}, which {order.stage} needs. {_all_have(workers.values())}"
            step = f"Start one with it: bertbuild worker --backend {order.backend}."
        elif not any(environment in one["resources"] for one in having):
            text = f"No worker has the {order.backend} of this machine: that of {_names(having)} is another one."
            step = "Give all machines the same version of bertbuild, and the same isolation."
        else:
            text = f"No worker's processor has {order.parts['environment'].get(INSTRUCTIONS)}, as this machine's has."
            step = "Build on a machine like the workers."
        return ClusterError(text, next_step=step)

    def end(self) -> None:
        """See `Dispatcher`."""
        with self._lock:
            self._ending = True
            futures = list(self._futures.values())
        if "_client" in self.__dict__ and futures:
            with contextlib.suppress(Exception):  # a scheduler that is gone has nothing to cancel
                self._client.cancel(futures)

    def close(self) -> None:
        """Leave the scheduler."""
        if "_client" in self.__dict__:
            with contextlib.suppress(Exception):
                self._client.close(timeout=2)


def _is_of(backend: str, resource: str) -> bool:
    return resource.rpartition(" ")[0] == backend


def _names(workers: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(sorted(str(one["name"]) for one in workers))


def _all_have(workers: Iterable[Mapping[str, Any]]) -> str:
    """Which backends each of a few workers has."""
    having = {one["name"]: {name.rpartition(" ")[0] for name in one["resources"]} & BACKENDS.keys() for one in workers}
    had = [f"{worker} has {', '.join(sorted(backends))}" for worker, backends in having.items()]
    more = [f"and {number_of(len(had) - 5, 'other')}"] if len(had) > 5 else []
    return f"{'; '.join([*sorted(had)[:5], *more])}."
