"""worker, cluster scheduler, cluster local: the machines that run stages."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bertbuild.backends import BACKENDS, canonical
from bertbuild.cluster.orders import MEMORY, environment_resource, processor_resource
from bertbuild.cluster.settings import PORT, TCP, Address, read_address, scheduler_of
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, require_cluster_remote, security_of
from bertbuild.engine.memory import available_memory
from bertbuild.errors import UsageError
from bertbuild.graph.processor import instruction_set

if TYPE_CHECKING:
    from bertbuild.cluster.processes import WorkerFacts

DEATH_TIMEOUT = 60
"""Seconds that a worker waits for its scheduler when it starts."""
HERE = Address(scheme=TCP, host="127.0.0.1", port=PORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(Result):
    """What is running now: the scheduler's address, and of each worker here its name, slots, memory and backends."""

    scheduler: str
    workers: tuple[dict[str, object], ...] = ()


def worker(session: Session, backends: Sequence[str], *, name: str, death_timeout: int) -> None:
    """Run a worker of this machine, until it is told to end or the scheduler is gone.

    Args:
        session: of the command; its settings say slots, memory, isolation, store and remote store.
        backends: that it offers, whose environments are made if need be; none: those that are made.
        name: what builds call it; empty: this machine's.
        death_timeout: seconds that it waits for the scheduler when it starts.

    Raises:
        UsageError: no scheduler or remote store is named, or there is no backend to offer.
        ClusterError: the scheduler does not answer, or is gone.
        KeyboardInterrupt: it was told to end; nothing that it began runs any more.
    """
    address = scheduler_of(session.settings)
    if death_timeout < 1:
        raise UsageError(f"--death-timeout must be at least 1 (got {death_timeout}).")
    require_cluster_remote(session)
    facts = _facts(session, _offered(session, backends), name or socket.gethostname(), share=1)
    security = security_of(session, address, "worker")
    from bertbuild.cluster import processes
    from bertbuild.cluster.worker import Ours

    processes.configure()
    ours = Ours(settings=session.settings, isolation=session.isolation.name)

    async def run() -> None:
        async with processes.worker(address, security, ours, facts, death_timeout) as nanny:
            await processes.until_lost([nanny], address, lambda: _tell(session, address, [facts]))

    processes.until_told(run())


def scheduler(session: Session, *, dashboard: str) -> None:
    """Run a scheduler, until it is told to end.

    Args:
        session: of the command; without a scheduler in its settings it listens on this machine alone.
        dashboard: where Dask's pages are shown, as 127.0.0.1:8787; empty: nowhere.

    Raises:
        UsageError: it cannot listen there.
        KeyboardInterrupt: it was told to end.
    """
    address = read_address(session.settings.scheduler) if session.settings.scheduler else HERE
    security = security_of(session, address, "scheduler")
    from bertbuild.cluster import processes

    processes.configure(dashboard=bool(dashboard))

    async def run() -> None:
        async with processes.scheduler(address, security, dashboard) as made:
            _tell(session, read_address(made.address), [])
            await made.finished()

    processes.until_told(run())


def local(session: Session, backends: Sequence[str], *, workers: int) -> None:
    """Run a scheduler and some workers on this machine alone, for try-outs, until told to end.

    Raises:
        UsageError: no remote store is named, there is no backend to offer, or the address is another machine's.
        KeyboardInterrupt: it was told to end.
    """
    if workers < 1:
        raise UsageError(f"--workers must be at least 1 (got {workers}).")
    address = read_address(session.settings.scheduler) if session.settings.scheduler else HERE
    if not address.is_loopback or address.is_encrypted:
        raise UsageError(
            f"cluster local is for this machine alone, and {address} is not.",
            next_step="Leave --scheduler out; on several machines: cluster scheduler, and worker on each.",
        )
    require_cluster_remote(session)
    offered = _offered(session, backends)
    facts = [_facts(session, offered, f"w{number}", share=workers) for number in range(1, workers + 1)]
    from bertbuild.cluster import processes
    from bertbuild.cluster.worker import Ours

    processes.configure()

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            made = await stack.enter_async_context(processes.scheduler(address, None))
            there = read_address(made.address)
            nannies = [
                await stack.enter_async_context(
                    processes.worker(
                        there,
                        None,
                        Ours(settings=session.settings, isolation=session.isolation.name),
                        one,
                        DEATH_TIMEOUT,
                    )
                )
                for one in facts
            ]
            await processes.until_lost(nannies, there, lambda: _tell(session, there, facts))

    processes.until_told(run())


def _offered(session: Session, backends: Sequence[str]) -> dict[str, dict[str, str]]:
    """The environments of the backends that a worker offers."""
    session.isolation.require()
    wanted = list(dict.fromkeys(map(canonical, backends)))
    unknown = [name for name in wanted if name not in BACKENDS]
    if unknown:
        raise UsageError(f"There is no backend {unknown[0]}.", next_step=f"There are {', '.join(BACKENDS)}.")
    for backend in wanted:
        session.engine.prepare(backend)
    found = wanted or [name for name in BACKENDS if session.isolation.is_ready(name)]
    if not found:
        raise UsageError(
            "No backend's environment is made on this machine, so there is nothing to offer.",
            next_step="Name those to offer, which makes them: --backend data,tf1,openvino",
        )
    return {backend: session.isolation.environment(backend) for backend in found}


def _facts(session: Session, offered: dict[str, dict[str, str]], name: str, *, share: int) -> WorkerFacts:
    """What a worker offers; `share`: of how many on this machine it is one."""
    from bertbuild.cluster.processes import WorkerFacts

    slots = max(1, (session.settings.jobs or os.cpu_count() or 1) // share)
    memory = (session.settings.memory_bytes or available_memory()) // share
    names = [environment_resource(backend, facts) for backend, facts in offered.items()]
    names.append(processor_resource(instruction_set()))
    return WorkerFacts(name=name, slots=slots, resources={MEMORY: memory, **dict.fromkeys(names, slots)})


def _tell(session: Session, address: Address, facts: Sequence[WorkerFacts]) -> None:
    workers, lines = [], []
    for one in facts:
        memory = int(one.resources[MEMORY])
        having = [name.rpartition(" ")[0] for name in one.resources if name.rpartition(" ")[0] in BACKENDS]
        workers.append({"name": one.name, "slots": one.slots, "memory": memory, "backends": having})
        lines.append(f"worker {one.name}: {one.slots} at once in {memory / 10**9:.1f} GB, with {', '.join(having)}")
    if not facts:
        lines = ["a scheduler, without workers of its own: `bertbuild worker --scheduler …` on each machine"]
    session.result(Ready(scheduler=str(address), workers=tuple(workers)), *lines, f"scheduler: {address}")
