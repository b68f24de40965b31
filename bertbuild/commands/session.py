"""One run of one command: settings, store, isolation, listener."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bertbuild.commands.result import Result
from bertbuild.config import Settings
from bertbuild.engine.engine import Engine
from bertbuild.engine.executor import Report
from bertbuild.errors import ClusterError, EngineError, UsageError
from bertbuild.files.disk import write_atomically
from bertbuild.gate.probes import make_outside_probe, make_probes
from bertbuild.isolation.base import Isolation, place
from bertbuild.isolation.choice import Choice, choose, last_used
from bertbuild.places import AUTO, PLACES
from bertbuild.plans.placing import OF_1, OF_2, TF1
from bertbuild.plans.plan import File, Plan
from bertbuild.source.checkpoints import Inspected
from bertbuild.store.inputs import file_input
from bertbuild.store.naming import MODEL
from bertbuild.store.store import Store, translated_os_errors

if TYPE_CHECKING:
    from distributed import Security

    from bertbuild.cluster.client import Cluster
    from bertbuild.cluster.settings import Address
    from bertbuild.engine.elsewhere import Elsewhere
    from bertbuild.remote.results import Results

Ended = TypeVar("Ended", bound=Result)


@dataclass(frozen=True, kw_only=True)
class Session:
    """What a command works with; each part is made when first asked for.

    Attributes:
        settings: of this run.
        report: the listener.
        replace: whether the names of a model in out/ may pass to another source.
        reference: what targets are judged by, one of `placing.REFERENCES`; "" where the command line says nothing.
        only_looks: whether it asks what would be done, and does nothing.
    """

    settings: Settings
    report: Report
    replace: bool = False
    reference: str = ""
    only_looks: bool = False
    _written: dict[str, File] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def store(self) -> Store:
        """The artifacts store."""
        return Store(self.settings.artifacts)

    @cached_property
    def remote(self) -> Results | None:
        """The remote store, None where none is named.

        Raises:
            UsageError, RemoteError: as `open_remote`.
        """
        if not self.settings.remote:
            return None
        from bertbuild.remote.opening import open_remote

        return open_remote(self.settings)

    @cached_property
    def choice(self) -> Choice:
        """Which isolation stages run in, and why."""
        settings, last = self.settings, last_used(self.settings.artifacts)
        return choose(settings.isolation, last, lambda name: place(name).why_not(settings, used_last=name == last))

    @property
    def mute(self) -> str:
        """The place that made the store's results where it cannot be used now and no other was asked for; else ""."""
        other = self.choice.other and self.settings.isolation == AUTO
        return last_used(self.settings.artifacts) if other else ""

    @cached_property
    def isolation(self) -> Isolation:
        """Where stages run.

        Raises:
            EngineError: the store's results were made in a place that cannot be used now, and nobody said to make them
                again in another one.
            OfflineError: in a Docker engine that is reached over the network, which must not be used.
        """
        if self.mute and not self.only_looks:
            raise EngineError(
                f"{self.choice.why[:1].upper()}{self.choice.why[1:]}.",
                next_step=f"Make it available, or make all again in {PLACES[self.choice.name].title}: "
                f"--isolation {self.choice.name}.",
            )
        return place(self.choice.name).isolation(self.settings)

    @cached_property
    def engine(self) -> Engine:
        """What runs plans."""
        slots = self.settings.jobs or os.cpu_count() or 1
        memory = self.settings.memory_bytes or 0
        offline = self.settings.offline
        return Engine(
            self.store,
            self.isolation,
            self.report,
            slots=slots,
            memory=memory,
            offline=offline,
            elsewhere=self._elsewhere(),
            dispatcher=self._cluster,
        )

    @cached_property
    def _cluster(self) -> Cluster | None:
        """The workers that run stages in the place of this machine; None where no scheduler is named."""
        if not self.settings.scheduler or self.only_looks:
            return None
        from bertbuild.cluster.client import Cluster
        from bertbuild.cluster.settings import scheduler_of

        address = scheduler_of(self.settings)
        remote = require_cluster_remote(self)
        return Cluster(address, lambda: security_of(self, address, "client"), self.store, remote, self.note)

    def _elsewhere(self) -> Elsewhere | None:
        """The remote store, as the engine uses it; None where there is none, or it is not to be used."""
        settings, remote = self.settings, self.remote
        if remote is None or (settings.offline and not settings.remote.startswith("file://")):
            return None
        from bertbuild.engine.elsewhere import Elsewhere

        reads, trusted = settings.remote_read, remote.trusted
        if reads and not trusted:
            self.note(f"no key is in trust, so nothing of {remote.address} is used: [remote] trust, docs/remote.md")
        return Elsewhere(
            remote,
            self.store,
            self.report,
            reads=reads and bool(trusted),
            writes=settings.remote_write and not self.only_looks,
            fetch=settings.fetch,
            trusted=trusted,
        )

    @cached_property
    def has_tensorflow_1(self) -> bool:
        """Whether TensorFlow 1.15 can run here; its Python is fetched now if need be, unless this only looks."""
        return self.isolation.can_have(TF1, None if self.only_looks else self.note)

    @cached_property
    def usual_reference(self) -> str:
        """What judges targets that were never built: TensorFlow 1.15; where that cannot be had, 2.20, which is said."""
        if self.has_tensorflow_1:
            return OF_1
        why = self.isolation.why_not(TF1).partition("\n")[0]
        self.note(
            f"TensorFlow 1.15 needs Python 3.7 or Docker, and has neither here{f' ({why})' if why else ''}: "
            f"TensorFlow 2.20 in v1 mode runs the source's graph (--reference {OF_2}; docs/reference-run.md)"
        )
        return OF_2

    def warn(self, texts: Iterable[str]) -> None:
        """Report sentences to look into."""
        for text in texts:
            self.report({"event": "warning", "text": text})

    def bar(self, name: str, stage: str) -> Callable[[int, int], None]:
        """A function that reports bytes done and in all, once for each hundredth."""
        told = -1

        def report(done: int, total: int) -> None:
            nonlocal told
            now = 100 * done // max(1, total)
            if now > told:
                told = now
                self.report({"event": "progress", "name": name, "done": done, "total": total, "stage": stage})

        return report

    def note(self, text: str) -> None:
        """Report something to know."""
        self.report({"event": "note", "text": text})

    def file(self, path: Path) -> File:
        """A file as a plan's input."""
        return file_input(path, self.store.inputs)

    def probes(self, inspected: Inspected, longest: int = 0) -> File:
        """The probe inputs of a model, as a file whose name is its digest; `longest` is a sequence length, or 0."""
        positions = min(inspected.max_positions, longest or inspected.max_positions)
        return self._probes_file(_probes(inspected.vocab_size, inspected.type_vocab_size, positions))

    def guarded_probes(self, inspected: Inspected, unknown: int) -> tuple[File, File]:
        """The probes of a model whose graph is guarded: what its source is asked, and what it is asked itself.

        Args:
            inspected: the model.
            unknown: the id that one outside the vocabulary is taken for.
        """
        sizes = (inspected.vocab_size, inspected.type_vocab_size, inspected.max_positions)
        within, asked = (self._probes_file(_probes(*sizes, unknown, outside)) for outside in (False, True))
        return within, asked

    def _probes_file(self, probes: tuple[str, str]) -> File:
        text, digest = probes
        if digest not in self._written:
            self._written[digest] = self._write_probes(text, digest)
        return self._written[digest]

    def _write_probes(self, text: str, digest: str) -> File:
        path = self.store.root / "probes" / f"{digest[:16]}.json"
        self.store.use(path)
        with translated_os_errors(path):
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_atomically(path, text)
        return File(path=path, digest=digest)

    def claim(self, model: str, target: str, source: str, digest: str, *, of: str = MODEL) -> None:
        """Say what a name in out/ is about to be made from, before anything runs; `of`: `naming.MODEL` or `DATA`.

        Raises:
            UsageError: it, or others of its model, were made from another source, and may not pass to this one.
        """
        self.store.names.claim(model, target, source=source, digest=digest, replace=self.replace, of=of)

    def claim_targets(self, plan: Plan, source: str, file: File) -> None:
        """The same of all targets of a plan, made from `file`, which the user named as `source` says."""
        for target in plan.targets:
            self.claim(plan.model, target.name, source, file.digest)

    def result(self, value: Ended, *lines: str) -> Ended:
        """Report how the command ended: `value` for programs, lines for people; gives `value`."""
        self.report({"event": "result", "lines": list(lines), **value.facts()})
        return value

    def close(self) -> None:
        """Keep what was learnt about files, and leave the cluster."""
        if (cluster := self.__dict__.get("_cluster")) is not None:
            cluster.close()
        if "store" in self.__dict__:
            self.store.digests.save()
            self.store.inputs.save()


def require_cluster_remote(session: Session) -> Results:
    """The remote store, through which what machines of a cluster make passes.

    Raises:
        UsageError: there is none, or it is not both read and written; or the network must not be used.
        ClusterError: the extra is not installed.
    """
    settings, remote = session.settings, session.remote
    if remote is None or not settings.remote_read or not settings.remote_write or not remote.trusted:
        raise UsageError(
            "A cluster needs a remote store that is read and written: results pass through it.",
            next_step="Set url, write, key and trust in [remote] on each machine of the cluster (docs/remote.md).",
        )
    if settings.offline and not settings.remote.startswith("file://"):
        raise UsageError(
            "A cluster needs the network, which must not be used (offline).",
            next_step="Leave --offline out, or the scheduler.",
        )
    if find_spec("distributed") is None:
        raise ClusterError(
            "A cluster needs Dask.distributed, which is not installed.",
            next_step="Install it: pip install 'bertbuild[cluster]'",
        )
    return remote


def security_of(session: Session, address: Address, role: str) -> Security | None:
    """The certificates for a role at an address; None in the clear, which is within this machine.

    Raises:
        UsageError: they are not there, or not valid.
    """
    if not address.is_encrypted:
        return None
    if session.settings.certificates is None:
        raise UsageError(
            f"The scheduler {address} needs certificates, and no folder of them is named.",
            next_step="Make them with `bertbuild cluster certificates`, and name it: [cluster] certificates, or "
            "BERTBUILD_CERTIFICATES.",
        )
    from bertbuild.cluster.security import cluster_security

    return cluster_security(session.settings.certificates, role, on_note=session.note)


@cache
def _probes(
    vocab_size: int, type_vocab_size: int, max_positions: int, unknown: int | None = None, outside: bool = False
) -> tuple[str, str]:
    """The text of a file of probes, and its digest; most models of a build file have the same."""
    sizes = {"vocab_size": vocab_size, "type_vocab_size": type_vocab_size, "max_positions": max_positions}
    value = make_probes(**sizes)
    if unknown is not None:
        value.append(make_outside_probe(**sizes, unknown=unknown)[outside])
    text = json.dumps({"probes": value})
    return text, hashlib.sha256(text.encode()).hexdigest()


def shown(path: Path) -> str:
    """The path as people type it: relative to where they are, if below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
