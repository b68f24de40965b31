"""A build that finds all as an earlier one left it: what that one said is said again, and nothing is planned.

What a build concludes depends on its command line, its settings, our own code, the sources, the environments and what
it finds in the store. One digest over all of these is kept in cache/unchanged.json by a build that had nothing to do.
Files count by what `stat` says of them, as everywhere else (`files/digests.py`); those whose time `gc` reads, by their
bytes.

A digest stands once a whole build lay between two looks that gave the same one: what changed while a build ran is never
taken for what that build had looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bertbuild import project
from bertbuild.buildfile.entries import BuildFile, Recipe
from bertbuild.commands.session import Session
from bertbuild.engine.events import Asked
from bertbuild.engine.jobs import EnvironmentJob, GateJob, Jobs, StageJob
from bertbuild.engine.remote_object import RemoteObject
from bertbuild.fields import fields_of
from bertbuild.files.disk import read_json, write_atomically
from bertbuild.graph.processor import instruction_set
from bertbuild.isolation.choice import LAST
from bertbuild.isolation.device import neuron_device
from bertbuild.parameters import parameters_of
from bertbuild.plans.plan import File
from bertbuild.store.naming import FOLDER as NAMES
from bertbuild.store.store import StoredObject
from bertbuild.toml.values import Location

MOST_FILES = 20_000
"""In a source's folder; of one with more (a home folder that holds a checkpoint) nothing is kept."""
NOT_OURS = "__pycache__"
"""A folder of our code that Python writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a build with nothing to do left.

    Attributes:
        run: its id; its log holds what it said.
        log: what `stat` says of that log.
        used: what it used of the store, by place there.
        sources: files and folders outside that it was made from.
        backends: whose environments it asked for.
        result: how it ended, as its JSON has it, and the lines that were shown.
        digest: of all that it depended on.
        stands: whether that was the digest when it began too.
    """

    run: str
    log: list[int]
    used: list[str]
    sources: list[str]
    backends: list[str]
    result: dict[str, Any]
    digest: str = ""
    stands: bool = False


class Unchanged:
    """A build file's build, and what the last one that had nothing to do left.

    Args:
        session: of the command.
        build_file: what is to be built.
    """

    def __init__(self, session: Session, build_file: BuildFile) -> None:
        self._session, self._build_file = session, build_file
        self._root = session.store.root
        self._kept = self._read()
        self._before = self._digest(self._kept) if self._kept else ""

    def said_again(self, asked: Asked) -> Mapping[str, Any] | None:
        """Tell once more what the earlier build told, and give its result; None where something may have changed."""
        kept = self._kept
        if kept is None or not kept.stands or self._before != kept.digest:
            return None
        self._session.engine.say_again(kept.run, asked)
        return kept.result

    def keep(self, jobs: Jobs, result: Mapping[str, Any]) -> None:
        """Keep what a build found that had nothing to do; of any other, nothing.

        Args:
            jobs: all that it came to.
            result: how it ended.
        """
        run = self._session.engine.run_id
        log, sources = _stamp(self._log(run)), self._sources(jobs)
        if not log or sources is None or not self._had_nothing_to_do(jobs):
            return
        kept = Kept(
            run=run,
            log=log,
            used=sorted(self._session.store.uses.names),
            sources=sources,
            backends=[job.backend for job in jobs.ids.values() if isinstance(job, EnvironmentJob)],
            result=dict(result),
        )
        digest = self._digest(kept)
        if digest:
            kept = replace(kept, digest=digest, stands=digest == self._before)
            with contextlib.suppress(OSError):  # a read-only store
                write_atomically(self._path, json.dumps(fields_of(kept)) + "\n")

    @property
    def _path(self) -> Path:
        return self._root / "cache" / "unchanged.json"

    def _log(self, run: str) -> str:
        return f"{self._root}/runs/{run}.jsonl"

    def _read(self) -> Kept | None:
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            kept = Kept(**read_json(self._path))
            if kept.log == _stamp(self._log(kept.run)):
                return kept
        return None

    def _sources(self, jobs: Jobs) -> list[str] | None:
        """The folders in which the sources lie; None where not all that they depend on is known."""
        if any(isinstance(entry.source, Recipe) or entry.evaluate for entry in self._build_file.models):
            return None
        named = [entry.source for entry in self._build_file.models]
        asked = [target.request for entry in self._build_file.models for target in entry.targets]
        read = [
            source.path
            for job in jobs.ids.values()
            if isinstance(job, StageJob)
            for source in job.sources.values()
            if isinstance(source, File) and not source.path.is_relative_to(self._session.store.objects)
        ]
        paths = {path for request in (*named, *asked) for path in _locations(request)} | set(map(str, read))
        folders = {path if os.path.isdir(path) else os.path.dirname(path) for path in paths}  # noqa: PTH112, PTH120
        if any(self._root.is_relative_to(folder) for folder in folders):
            return None  # what a build itself writes lies in there
        return sorted(folders - {f"{self._root}/probes"})  # these are used, each by its name

    def _had_nothing_to_do(self, jobs: Jobs) -> bool:
        """Whether no stage ran, and each result is here, or on a note of the store that the remote store has it."""
        stages = [job for job in jobs.ids.values() if isinstance(job, StageJob)]
        gates = [job for job in jobs.ids.values() if isinstance(job, GateJob)]
        return all(
            job.result is not None and not job.seconds and self._is_on_disk(job.result) for job in stages
        ) and all(job.built is not None for job in gates)

    def _is_on_disk(self, stored: StoredObject) -> bool:
        if not isinstance(stored, RemoteObject):
            return True
        return self._session.store.elsewhere(stored.stage, stored.key).exists()

    def _digest(self, kept: Kept) -> str:
        """The digest of all that a build depends on that uses what this one used; "" where it cannot be told."""
        for name in kept.used:
            self._session.store.use(os.path.join(self._root, name))  # noqa: PTH118 - text, as in the store
        found = hashlib.sha256()
        try:
            for part in self._parts(kept):
                found.update(repr(part).encode())
        except (OSError, _TooManyFilesError):
            return ""
        return found.hexdigest()

    def _parts(self, kept: Kept) -> Iterator[object]:
        session = self._session
        yield os.getcwd(), sys.version, os.path.basename(sys.argv[0])  # noqa: PTH109, PTH119 - text
        yield sorted(item for item in os.environ.items() if item[0].startswith("BERTBUILD_"))
        yield session.settings, session.replace, session.reference, self._build_file
        yield instruction_set(), neuron_device(), session.isolation.name
        for backend in kept.backends:
            yield backend, session.isolation.is_ready(backend) and session.isolation.environment(backend)
        for folder in (str(project.PACKAGE_FOLDER), f"{project.ROOT}/docker"):
            yield from _files(folder)
        for path in (f"{project.ROOT}/compose.yaml", str(session.settings.models_lock), f"{self._root}/{LAST}"):
            yield _bytes(path)
        for model in self._build_file.models:
            yield from _files(f"{self._root}/{NAMES}/{model.name}")
            yield _links(f"{self._root}/out/{model.name}")
        for name in kept.used:
            yield name
            yield from _of_store(os.path.join(self._root, name))  # noqa: PTH118 - text
        for folder in kept.sources:
            yield folder, os.path.realpath(folder)
            yield from _files(folder)


class _TooManyFilesError(Exception):
    """A source lies among more files than are looked at."""


def _locations(request: Any) -> Iterator[str]:
    """The paths that a request names."""
    for one in parameters_of(type(request)).values():
        value = getattr(request, one.name)
        if isinstance(one.type, Location) and value:
            yield str(value)


def _of_store(path: str) -> Iterator[object]:
    """What lies at a place of the store that was used. Of links in out/ and of folders the time is that of a use."""
    if os.path.islink(path):  # noqa: PTH114 - text: thousands of these
        return
    if os.path.isdir(path):  # noqa: PTH112 - likewise
        yield from _files(path)
    else:
        yield _bytes(path)


def _files(folder: str) -> Iterator[tuple[object, ...]]:
    """The files in a folder and below it, links followed: path, and what the system says; nothing where it is gone."""
    waiting, count = [folder], 0
    while waiting:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(waiting.pop()) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                count += 1
                if count > MOST_FILES:
                    raise _TooManyFilesError
                if entry.is_dir():
                    if entry.name != NOT_OURS:
                        waiting.append(entry.path)
                    yield entry.path, entry.is_symlink() and os.path.realpath(entry.path)
                else:
                    yield entry.path, entry.is_symlink(), *_told(entry.stat(follow_symlinks=entry.is_file()))


def _links(folder: str) -> list[tuple[str, str]]:
    """The names in a folder, and where each leads."""
    with contextlib.suppress(FileNotFoundError):
        names = sorted(os.listdir(folder))  # noqa: PTH208 - text
        return [(name, _leads_to(f"{folder}/{name}")) for name in names]
    return []


def _leads_to(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - text
    except OSError:
        return ""


def _bytes(path: str) -> bytes | None:
    """The sha256 of a small file, None where there is none."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - text
            return hashlib.sha256(file.read()).digest()
    except FileNotFoundError:
        return None


def _stamp(path: str) -> list[int]:
    with contextlib.suppress(OSError):
        return list(_told(os.stat(path)))  # noqa: PTH116 - text
    return []


def _told(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode
