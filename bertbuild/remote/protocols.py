"""What a remote store is asked for, and what a place that holds one must be able to do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from bertbuild.remote.statement import Statement
from bertbuild.store.store import StoredObject

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""

IMAGE, SIGNED_IMAGE = "image", "signed-image"
"""What names of images, and of the statements on them, begin with; no stage's does."""
_IMAGES = (f"{IMAGE}-", f"{SIGNED_IMAGE}-")

PUSHED, THERE, OTHER, LOST = "pushed", "there", "other", "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What became of a result that was to be put there.

    Attributes:
        name: as `result_name` makes it.
        state: "pushed"; "there": a trusted result of the same files was; "other": a trusted one of other files was,
            and stays; "lost": another writer put one there at the same time, and its own holds.
        sent: bytes of files that were sent.
        had: bytes of files that the remote store had already.
        differences: of "other" and "lost", the lines of a comparison that say what differs and may not; empty where
            the two results are as alike as two runs must be.
    """

    name: str
    state: str
    sent: int = 0
    had: int = 0
    differences: tuple[str, ...] = ()


class Remote(Protocol):
    """A remote store. Every method may be called by several threads at once, and raises `RemoteError`."""

    @property
    def address(self) -> str:
        """Where it is, without credentials."""

    def has(self, names: Iterable[str]) -> set[str]:
        """Which of these results it says to have; nothing of them is checked."""

    def look(self, names: Iterable[str]) -> Mapping[str, Statement | str]:
        """The checked statement of each of these results that it has, or why that is not used."""

    def fetch(self, name: str, into: Path, progress: Progress | None = None) -> Statement:
        """Bring the files of a result into an empty folder: checked against `trust`, and hashed on arrival.

        Raises:
            UntrustedError: nobody in `trust` signed it, or it is not what was signed; what arrived is removed.
            RemoteError: it is not there, or the server does not answer.
        """

    def push(self, stored: StoredObject, progress: Progress | None = None) -> PushResult:
        """Put a result there, signed; only files that it lacks are sent."""


class GoneError(Exception):
    """A place has no such blob."""


class Transport(Protocol):
    """A place that keeps blobs by their sha256, and manifests by name. It is trusted in nothing.

    Several threads may call it at once. What it cannot do it says by `RemoteError`.
    """

    address: str

    def has_manifest(self, name: str) -> bool:
        """Whether it has a manifest of this name."""

    def manifest(self, name: str, most: int) -> bytes | None:
        """The manifest of this name; None where there is none. Of one longer than `most` bytes one byte more."""

    def put_manifest(self, name: str, content: bytes, *, replace: bool) -> bool:
        """Put a manifest there, last of all; whether it was put: without `replace` one that is there stays.

        A registry cannot keep two writers apart; it is read again afterwards.
        """

    def has_blob(self, digest: str) -> bool:
        """Whether it has the blob of this sha256 (hex)."""

    def blob(self, digest: str, start: int) -> Iterator[bytes]:
        """The bytes of a blob from `start` on.

        Raises:
            GoneError: there is none.
        """

    def put_blob(self, digest: str, size: int, opened: Callable[[], BinaryIO], progress: Callable[[int], None]) -> None:
        """Put a blob there; `opened` gives its bytes again, `progress` gets how many more went out."""

    def names(self) -> Iterator[str]:
        """The names of all manifests."""

    def remove(self, name: str) -> None:
        """Take a manifest away. Blobs go when the place collects them."""

    def collect(self, used: Callable[[], Iterable[str]]) -> int | None:
        """Remove blobs that no manifest uses; `used` gives the digests of those that one does.

        Gives the bytes that were freed; None where the place does this itself.
        """


@dataclass(slots=True)
class Counter:
    """Bytes done by several threads, of so many in all."""

    total: int
    tell: Progress | None
    done: int = 0
    _lock: threading.Lock = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """A lock of its own."""
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So many bytes more (fewer, where they are brought again) are done."""
        with self._lock:
            self.done += count
            if self.tell is not None:
                self.tell(self.done, self.total)


def put_small(transport: Transport, content: bytes) -> None:
    """Put a blob there that is in memory, unless it is there.

    Raises:
        RemoteError: it is not taken.
    """
    digest = hashlib.sha256(content).hexdigest()
    if not transport.has_blob(digest):
        transport.put_blob(digest, len(content), partial(BytesIO, content), lambda _count: None)


def result_name(stage: str, key: str) -> str:
    """The name of a result in a remote store."""
    return f"{stage}-{key}"


def parts_of(name: str) -> tuple[str, str] | None:
    """Stage and key of a name; None where it is none of ours."""
    stage, dash, key = name.rpartition("-")
    good = dash and stage and len(key) == 64 and set(key) <= set("0123456789abcdef")
    good = good and not stage.startswith(_IMAGES)
    return (stage, key) if good else None
