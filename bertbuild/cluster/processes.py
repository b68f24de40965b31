"""A scheduler and workers of Dask as this project runs them: until they are told to end, or lose one another."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask
from distributed import Nanny, Scheduler

from bertbuild.cluster.security import tls_failure
from bertbuild.cluster.settings import Address, silence_dask
from bertbuild.cluster.worker import Apart, Ours
from bertbuild.errors import ClusterError, UsageError
from bertbuild.plural import number_of

if TYPE_CHECKING:
    from distributed import Security

ALLOWED_FAILURES = 2
"""Workers that may die while they are at an order and it is given to another; with the third it counts as its fault."""
WORKER_TTL = 30.0
"""Seconds without a sign of life after which a worker counts as frozen: its nanny starts it again."""
NO_WORKERS_TIMEOUT = "60s"
"""How long an order waits for a worker that can carry it out, once there was one."""
NOWHERE = "127.0.0.1:0"
"""Where the HTTP servers listen that Dask insists on, without a page to give."""

TOLD = "Told to end; nothing that ran here runs any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What a worker offers: its name, how many stages it runs at once, and Dask's resources."""

    name: str
    slots: int
    resources: dict[str, float]


def configure(*, dashboard: bool = False) -> None:
    """Tell Dask what this project needs of it; before anything of it is started."""
    silence_dask()
    settings: dict[str, Any] = {
        "distributed.scheduler.no-workers-timeout": NO_WORKERS_TIMEOUT,
        "distributed.worker.http.routes": [],
        "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
        "distributed.worker.profile.enabled": False,
        "distributed.admin.low-level-log-length": 1000,
    }
    if not dashboard:
        settings["distributed.scheduler.http.routes"] = []
    dask.config.set(settings)


def until_told(main: Coroutine[Any, Any, None]) -> None:
    """Run until it ends, or SIGINT or SIGTERM comes.

    Raises:
        KeyboardInterrupt: one of them came; all is closed.
    """

    async def watched() -> bool:
        task = asyncio.ensure_future(main)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return True
        return False

    if asyncio.run(watched()):
        raise KeyboardInterrupt(TOLD)


@contextlib.asynccontextmanager
async def scheduler(address: Address, security: Security | None, dashboard: str = "") -> AsyncIterator[Scheduler]:
    """A scheduler that listens at an address; `dashboard`: where its pages are, empty for none.

    Raises:
        UsageError: the address is not this machine's, or in use.
    """
    try:
        made = await Scheduler(
            host=address.host,
            port=address.port,
            protocol=f"{address.scheme}://",
            security=security,
            dashboard=bool(dashboard),
            dashboard_address=dashboard or NOWHERE,
            allowed_failures=ALLOWED_FAILURES,
            worker_ttl=WORKER_TTL,
        )
    except Exception as error:
        raise UsageError(
            f"No scheduler can listen at {address}: {_root(error)}.",
            next_step="Choose another address or port with --scheduler.",
        ) from error
    try:
        yield made
    finally:
        await made.close()


@contextlib.asynccontextmanager
async def worker(
    address: Address, security: Security | None, ours: Ours, facts: WorkerFacts, death_timeout: float
) -> AsyncIterator[Nanny]:
    """A worker, and the nanny that starts it again when it is killed.

    Raises:
        ClusterError: the scheduler does not answer, or does not take it.
    """
    local = ours.settings.artifacts / "cache" / "dask"
    local.mkdir(parents=True, exist_ok=True)
    try:
        made = await Nanny(
            str(address),
            nthreads=facts.slots,
            name=facts.name,
            resources=facts.resources,
            memory_limit=0,
            death_timeout=death_timeout,
            local_directory=str(local),
            security=security,
            worker_class=Apart,
            plugins=(ours,),
            dashboard=False,
            dashboard_address=NOWHERE,
        )
    except Exception as error:
        refused = tls_failure(error, str(address))
        if refused is not None:
            raise refused from error
        if "name taken" in _root(error):
            raise ClusterError(
                f"The scheduler {address} has a worker of the name {facts.name}.",
                next_step="Give this one another name: --name. One that was lost just now is forgotten within 30 s.",
            ) from error
        reason = _root(error)
        silent = isinstance(error, TimeoutError) or reason in ("CancelledError", "TimeoutError")
        why = f"it did not answer within {number_of(int(death_timeout), 'second')}" if silent else reason
        raise ClusterError(
            f"The worker {facts.name} could not join the scheduler {address}: {why}.",
            next_step="Start it with `bertbuild cluster scheduler`, or look whether its port can be reached from here.",
        ) from error
    try:
        yield made
    finally:
        await made.close()


async def until_lost(nannies: list[Nanny], address: Address, ready: Callable[[], None]) -> None:
    """Wait until a worker has ended of itself.

    Raises:
        ClusterError: always; the scheduler is gone, or has sent the worker away.
    """
    ready()
    await asyncio.wait([asyncio.ensure_future(nanny.finished()) for nanny in nannies], return_when="FIRST_COMPLETED")
    raise ClusterError(
        f"The scheduler {address} is gone, or has sent the worker away.",
        next_step="A supervisor starts the worker again (docs/cluster.md); it waits for the scheduler.",
    )


def _root(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).rstrip(".") or type(error).__name__
