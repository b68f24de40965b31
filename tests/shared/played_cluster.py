"""A real scheduler and real workers of Dask in a thread of this process, whose stages are played."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from host_doubles import FakeIsolation
from remote_doubles import keys_in

from bertbuild.backends import BACKENDS
from bertbuild.cluster.client import Cluster
from bertbuild.cluster.orders import MEMORY, environment_resource, processor_resource
from bertbuild.cluster.settings import Address, read_address
from bertbuild.config import Settings
from bertbuild.engine.elsewhere import Elsewhere
from bertbuild.engine.engine import Engine
from bertbuild.graph.processor import instruction_set
from bertbuild.remote.opening import open_remote
from bertbuild.store.store import Store

LOOPBACK = Address(scheme="tcp", host="127.0.0.1", port=0)


class Played(FakeIsolation):
    """The isolation of one order on a played worker; what was run is counted by worker."""

    runs_of: dict = {}  # noqa: RUF012 - by store
    behave: dict = {}  # noqa: RUF012 - stage → function of the run, and of the isolation
    lock_of: dict = {}  # noqa: RUF012 - by store

    def __init__(self, artifacts):
        super().__init__()
        self.prepared.extend(BACKENDS)
        self.ended = threading.Event()
        self.lock = self.lock_of.get(artifacts, self.lock)
        self.behaviour = {stage: lambda run, of=of: of(run, self) for stage, of in self.behave.items()}
        self.runs = self.runs_of.setdefault(artifacts.name, [])

    def end(self):
        self.ended.set()


class PlayedPlace:
    """In the place of `isolation.base.place`'s module."""

    @staticmethod
    def isolation(settings):
        return Played(settings.artifacts)


class Machines:
    """A scheduler and workers; `workers` is name → backends that it has, or None for all."""

    def __init__(self, tmp_path, **workers):
        self._tmp_path, self._place = tmp_path, tmp_path / "remote"
        self._place.mkdir()
        self._key, self._trust = keys_in(tmp_path / "keys")
        self._wanted = workers
        self.workers = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        from bertbuild.cluster import processes

        processes.configure()
        self._thread.start()
        self._stack = contextlib.AsyncExitStack()
        self.scheduler = self.do(self._stack.enter_async_context(processes.scheduler(LOOPBACK, None)))
        self.address = read_address(self.scheduler.address)
        for name, backends in self._wanted.items():
            self.join(name, backends)
        return self

    def lose(self, name, *, gracefully):
        """A worker goes away: told to end, or with its connection cut."""
        worker = self.workers.pop(name)
        if not gracefully:
            self._loop.call_soon_threadsafe(worker.batched_stream.comm.abort)
            return
        self.do(worker.close(timeout=1, executor_wait=False))

    def __exit__(self, *_error):
        for worker in self.workers.values():
            self.do(worker.close(timeout=5))
        self.do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def settings(self, name, **facts):
        """Of a machine."""
        return Settings(
            artifacts=self._tmp_path / name,
            remote=f"file://{self._place}",
            remote_write=True,
            remote_key=self._key,
            remote_trust=self._trust,
            **facts,
        )

    def published(self):
        """Names of results in the remote store, without their keys."""
        return sorted(name.rpartition("-")[0] for name in open_remote(self.settings("any")).transport.names())

    def forget_published(self):
        """The remote store loses all results."""
        there = open_remote(self.settings("any")).transport
        for name in list(there.names()):
            there.remove(name)

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def join(self, name, backends=None, slots=2, **facts):
        """A worker that joins now."""
        from bertbuild.cluster.worker import Apart, Ours

        settings = self.settings(name, **facts)
        ours = Ours(settings=settings, isolation="toy")
        isolation = Played(settings.artifacts)
        names = [environment_resource(one, isolation.environment(one)) for one in backends or BACKENDS]
        names.append(processor_resource(instruction_set()))

        async def start():
            return await Apart(
                self.scheduler.address,
                nthreads=slots,
                name=name,
                resources={MEMORY: 10**12, **dict.fromkeys(names, slots)},
                memory_limit=0,
                plugins=(ours,),
                dashboard_address="127.0.0.1:0",
            )

        self.workers[name] = self.do(start())

    def builder(self, name, report, **engine):
        """The engine of a machine that builds, and its side of the cluster."""
        store, remote = Store(self._tmp_path / name), open_remote(self.settings(name))
        told = Elsewhere(remote, store, report, reads=True, writes=True, fetch="targets", trusted=remote.trusted)
        cluster = Cluster(
            self.address, lambda: None, store, remote, lambda text: report({"event": "note", "text": text})
        )
        isolation = Played(self._tmp_path / name)
        return Engine(store, isolation, report, elsewhere=told, dispatcher=cluster, **engine), cluster
