"""A remote store over any transport. What makes it safe is here: hashes, signatures, names, sizes, who was first."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from bertbuild.errors import RemoteError, UntrustedError
from bertbuild.json_text import parse_json
from bertbuild.plural import number_of
from bertbuild.remote.manifest import CREATED, EMPTY, LARGEST, Artifact, read_artifact, signed_bytes, write_artifact
from bertbuild.remote.others import against
from bertbuild.remote.protocols import (
    LOST,
    OTHER,
    PUSHED,
    THERE,
    Counter,
    GoneError,
    Progress,
    PushResult,
    Transport,
    parts_of,
    put_small,
    result_name,
)
from bertbuild.remote.signing import RefusedError, Signer, Trust
from bertbuild.remote.statement import Statement, read_statement
from bertbuild.stages import PROVENANCE
from bertbuild.store.store import StoredObject

LOOKUPS = 32
"""Lookups at once: they wait for the server, and hardly compute."""
TRANSFERS = 6
"""Blobs at once."""
_TRIES = 4
"""Of a blob whose connection breaks, without a byte more having come."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Results:
    """See `Remote`."""

    def __init__(self, transport: Transport, trust: Trust, signer: Signer | None = None) -> None:
        """`signer`: whose key signs what is put there; None where nothing is."""
        self.transport, self._trust, self._signer = transport, trust, signer

    @property
    def address(self) -> str:
        """See `Remote`."""
        return self.transport.address

    @property
    def trusted(self) -> tuple[str, ...]:
        """The public keys whose signatures count."""
        return self._trust.texts

    def has(self, names: Iterable[str]) -> set[str]:
        """See `Remote`."""
        asked = list(dict.fromkeys(names))
        return {name for name, there in zip(asked, _at_once(self.transport.has_manifest, asked), strict=True) if there}

    def look(self, names: Iterable[str]) -> Mapping[str, Statement | str]:
        """See `Remote`."""
        asked = list(dict.fromkeys(names))
        found = zip(asked, _at_once(self._looked, asked), strict=True)
        return {name: statement for name, statement in found if statement is not None}

    def _looked(self, name: str) -> Statement | str | None:
        content = self.transport.manifest(name, LARGEST)
        if content is None:
            return None
        try:
            return self._read(name, content)[0]
        except RefusedError as error:
            return str(error)

    def _read(self, name: str, content: bytes) -> tuple[Statement, Artifact]:
        """What a manifest and its envelope say, checked; nothing of its files is.

        Raises:
            RefusedError: they are not of this result, or nobody in trust signed it.
        """
        parts = parts_of(name)
        if parts is None:
            raise RefusedError("its name is not that of a result")
        artifact = read_artifact(content)
        try:
            envelope = signed_bytes(artifact, self.transport.blob)
        except GoneError as error:
            raise RefusedError("its statement is not there any more") from error
        statement = read_statement(*parts, envelope, artifact.sizes, self._trust)
        for file, layer in artifact.files.items():
            if statement.files.get(file) != layer.digest:
                raise RefusedError(f"its file {file[:80]!r} is not the one that was signed")
        return statement, artifact

    def statement(self, name: str) -> Statement:
        """The checked statement of a result.

        Raises:
            UntrustedError, RemoteError: as `fetch`.
        """
        content = self.transport.manifest(name, LARGEST)
        if content is None:
            raise RemoteError(
                f"The remote store {self.address} has no {name}.", next_step="Build it, or push it from where it is."
            )
        try:
            return self._read(name, content)[0]
        except RefusedError as error:
            raise self._untrusted(name, error) from error

    def _untrusted(self, name: str, why: object) -> UntrustedError:
        return UntrustedError(
            f"{name} of the remote store {self.address} is not used: {why}.",
            next_step="If it should be trusted, add the public key of who signed it to [remote] trust.",
        )

    def times(self, names: Iterable[str]) -> Mapping[str, float]:
        """When each of these results was made, as its annotation says, in unix seconds; 0 where none can be read."""
        asked = list(names)
        return dict(zip(asked, _at_once(self._time, asked), strict=True))

    def _time(self, name: str) -> float:
        content = self.transport.manifest(name, LARGEST)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            created = parse_json(content or b"")["annotations"][CREATED]
            return datetime.fromisoformat(f"{created[:19]}+00:00").timestamp()
        return 0.0

    def collect(self) -> int | None:
        """Remove files that no result uses any more; bytes, None where the place does so itself."""
        return self.transport.collect(self._used)

    def _used(self) -> Iterator[str]:
        for name in self.transport.names():
            content = self.transport.manifest(name, LARGEST)
            with contextlib.suppress(RefusedError):
                artifact = read_artifact(content or b"")
                yield from (blob.digest for blob in (artifact.envelope, *artifact.files.values()))
        yield hashlib.sha256(EMPTY).hexdigest()

    def fetch(self, name: str, into: Path, progress: Progress | None = None) -> Statement:
        """See `Remote`."""
        statement = self.statement(name)
        free = shutil.disk_usage(into).free
        if statement.size > free:
            raise RemoteError(
                f"{name} of the remote store needs {statement.size:,} bytes, and {free:,} are free.",
                next_step="Free some space, or move the store with BERTBUILD_ARTIFACTS.",
            )
        places: dict[tuple[str, int], list[Path]] = {}
        for file, digest in statement.files.items():
            places.setdefault((digest, statement.sizes[file]), []).append(into / file)
        counter = Counter(total=sum(size for _, size in places), tell=progress)

        def bring(wanted: tuple[str, int]) -> None:
            first, *others = places[wanted]
            self._bring(*wanted, first, counter)
            for other in others:
                other.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(first, other)

        try:
            _at_once(bring, list(places), TRANSFERS)
            (into / PROVENANCE).write_bytes(statement.payload)
        except BaseException as error:
            for path in (*(path for paths in places.values() for path in paths), into / PROVENANCE):
                path.unlink(missing_ok=True)
            if isinstance(error, RefusedError):
                raise self._untrusted(name, error) from error
            raise
        return statement

    def _bring(self, digest: str, size: int, path: Path, counter: Counter) -> None:
        """A blob, hashed as it comes; where the connection breaks, the rest is asked for."""
        path.parent.mkdir(parents=True, exist_ok=True)
        sha256, come, failures = hashlib.sha256(), 0, 0
        with path.open("wb") as file:
            while come < size:
                before = come
                try:
                    for piece in self.transport.blob(digest, come):
                        come += len(piece)
                        if come > size:
                            raise RefusedError(f"{path.name} is longer than it says")
                        file.write(piece)
                        sha256.update(piece)
                        counter.add(len(piece))
                    error = RemoteError(
                        f"The remote store {self.address} ended {path.name} after {come:,} of {size:,} bytes.",
                        next_step="Push the result again from where it is whole.",
                    )
                except RemoteError as broken:
                    error = broken
                except GoneError as gone:
                    raise RefusedError(f"its file {path.name} is not there any more") from gone
                failures = 0 if come > before else failures + 1
                if come < size and failures >= _TRIES:
                    raise error
        if sha256.hexdigest() != digest:
            raise RefusedError(f"the bytes of {path.name} are not those that were signed")

    def push(self, stored: StoredObject, progress: Progress | None = None) -> PushResult:
        """See `Remote`."""
        name = result_name(stored.stage, stored.key)
        if self._signer is None:
            raise RemoteError(
                "What is put into a remote store must be signed, and no key is given.",
                next_step="Make one with `bertbuild remote keygen`, and name it with BERTBUILD_REMOTE_KEY.",
            )
        if PROVENANCE not in stored.manifest["files"]:
            raise RemoteError(
                f"{stored.stage} {stored.key[:12]} has no statement that could be signed.",
                next_step="It was made by an old version: build it again.",
            )
        before = self._looked(name)
        if isinstance(before, Statement):
            return self._unchanged(name, stored, before, progress)
        envelope = self._signer.envelope((stored.path / PROVENANCE).read_bytes())
        content = write_artifact(_files(stored), envelope, facts_of(stored))
        if len(content) > LARGEST:
            raise RemoteError(
                f"{name} has {number_of(len(stored.manifest['files']), 'file')}, too many for one manifest.",
                next_step="It stays in this store alone.",
            )
        sent, had = self._send_files(stored, progress)
        for small in (envelope, EMPTY):
            put_small(self.transport, small)
        if not self.transport.put_manifest(name, content, replace=before is not None):
            return self._lost(name, stored, sent, had)
        if self.transport.manifest(name, LARGEST) != content:
            return self._lost(name, stored, sent, had)
        return PushResult(name=name, state=PUSHED, sent=sent, had=had)

    def _unchanged(self, name: str, stored: StoredObject, theirs: Statement, progress: Progress | None) -> PushResult:
        """A trusted result was there first, and stays; of its files, those that were lost are sent again."""
        if theirs.manifest["digest"] == stored.digest:
            sent, had = self._send_files(stored, progress, frozenset(theirs.files.values()))
            return PushResult(name=name, state=THERE, sent=sent, had=had)
        had = sum(int(entry["bytes"]) for entry in stored.manifest["files"].values())
        return PushResult(name=name, state=OTHER, had=had, differences=against(self, name, stored, theirs))

    def _lost(self, name: str, stored: StoredObject, sent: int, had: int) -> PushResult:
        """Another writer's manifest is there, though none was when this began."""
        theirs = self._looked(name)
        if not isinstance(theirs, Statement):
            why = f": {theirs}" if theirs else ""
            raise RemoteError(
                f"{name} was put into the remote store {self.address}, which gives something else{why}.",
                next_step="Look who else may write there; nobody uses what no key in trust signed.",
            )
        same = theirs.manifest["digest"] == stored.digest
        differences = () if same else against(self, name, stored, theirs)
        return PushResult(name=name, state=LOST, sent=sent, had=had, differences=differences)

    def _send_files(
        self, stored: StoredObject, progress: Progress | None, only: Container[str] | None = None
    ) -> tuple[int, int]:
        """Send the files that are lacking, each content once; gives the bytes that were sent, and the others.

        `only`: the sha256 of those that are asked for, where not all are.
        """
        files = {
            entry["sha256"]: (int(entry["bytes"]), stored.path / name)
            for name, entry in _files(stored).items()
            if only is None or entry["sha256"] in only
        }
        counter = Counter(total=sum(size for size, _ in files.values()), tell=progress)

        def send(digest: str) -> bool:
            size, path = files[digest]
            if self.transport.has_blob(digest):
                counter.add(size)
                return False
            self.transport.put_blob(digest, size, lambda: path.open("rb"), counter.add)
            return True

        sent = [digest for digest, new in zip(files, _at_once(send, list(files), TRANSFERS), strict=True) if new]
        count = sum(files[digest][0] for digest in sent)
        return count, counter.total - count


def _files(stored: StoredObject) -> dict[str, Mapping[str, Any]]:
    """Its files as its manifest has them, but for the statement, which is sent signed."""
    return {name: entry for name, entry in stored.manifest["files"].items() if name != PROVENANCE}


def facts_of(stored: StoredObject) -> dict[str, str]:
    """The annotations of a result's manifest, for people who look into a registry; nothing here reads them."""
    run = parse_json((stored.path / PROVENANCE).read_bytes())["predicate"]["runDetails"]
    return {
        CREATED: run["metadata"]["finishedOn"],
        "org.opencontainers.image.title": f"{stored.stage} {stored.key[:12]}",
        "org.bertbuild.stage": stored.stage,
        "org.bertbuild.key": stored.key,
        "org.bertbuild.digest": stored.digest,
        "org.bertbuild.version": run["builder"]["version"]["bertbuild"],
        "org.bertbuild.builder": run["builder"]["id"],
    }


def _at_once(ask: Callable[[Asked], Answer], asked: list[Asked], most: int = LOOKUPS) -> list[Answer]:
    """The answers, in order; the first error ends all."""
    if len(asked) <= 1:
        return [ask(one) for one in asked]
    with ThreadPoolExecutor(max_workers=min(most, len(asked))) as pool:
        futures = [pool.submit(ask, one) for one in asked]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
