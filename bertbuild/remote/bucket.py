"""A remote store in a bucket of S3, by obstore: blobs by their sha256, manifests by name, put where none is there yet.

Credentials are found as obstore finds them: AWS_* variables, web identity, a container's or an instance's role.
"""

from __future__ import annotations

import contextlib
import importlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from bertbuild.errors import RemoteError
from bertbuild.remote.protocols import GoneError

_PIECE = 2**20
_UNFINISHED = 24 * 3600
"""Seconds for which a blob stays that no manifest names: one may be on its way."""


class Bucket:
    """See `Transport`."""

    def __init__(self, address: str, store: Any) -> None:
        """`store`: of obstore."""
        self.address, self._store = address, store
        self._obstore, self._errors = library(), importlib.import_module("obstore.exceptions")

    def has_manifest(self, name: str) -> bool:
        """See `Transport`."""
        return self._has(f"results/{name}")

    def manifest(self, name: str, most: int) -> bytes | None:
        """See `Transport`."""
        with self._told():
            try:
                found = self._obstore.get(self._store, f"results/{name}")
            except (FileNotFoundError, self._errors.NotFoundError):
                return None
            gathered = bytearray()
            for piece in found.stream(_PIECE):
                gathered += bytes(piece)
                if len(gathered) > most:
                    break
            return bytes(gathered[: most + 1])

    def put_manifest(self, name: str, content: bytes, *, replace: bool) -> bool:
        """See `Transport`. The bucket itself refuses the second of two writers."""
        with self._told():
            try:
                mode = "overwrite" if replace else "create"
                self._obstore.put(self._store, f"results/{name}", content, mode=mode, use_multipart=False)
            except self._errors.AlreadyExistsError:
                return False
            return True

    def has_blob(self, digest: str) -> bool:
        """See `Transport`."""
        return self._has(_blob(digest))

    def blob(self, digest: str, start: int) -> Iterator[bytes]:
        """See `Transport`."""
        with self._told():
            options = {"range": {"offset": start}} if start else {}
            try:
                found = self._obstore.get(self._store, _blob(digest), options=options)
            except (FileNotFoundError, self._errors.NotFoundError) as error:
                raise GoneError from error
            for piece in found.stream(_PIECE):
                yield bytes(piece)

    def put_blob(self, digest: str, size: int, opened: Callable[[], BinaryIO], progress: Callable[[int], None]) -> None:
        """See `Transport`. Large ones go in parts, several at once."""
        with self._told(), opened() as source:
            self._obstore.put(self._store, _blob(digest), source)
        progress(size)

    def names(self) -> Iterator[str]:
        """See `Transport`."""
        with self._told():
            for page in self._obstore.list(self._store, prefix="results/"):
                yield from (one["path"].rpartition("/")[2] for one in page)

    def remove(self, name: str) -> None:
        """See `Transport`."""
        with self._told(), contextlib.suppress(FileNotFoundError, self._errors.NotFoundError):
            self._obstore.delete(self._store, f"results/{name}")

    def collect(self, used: Callable[[], Iterable[str]]) -> int | None:
        """See `Transport`. A blob of the last day stays."""
        with self._told():
            before = self._now() - _UNFINISHED
            pages = self._obstore.list(self._store, prefix="blobs/")
            old = [one for page in pages for one in page if one["last_modified"].timestamp() < before]
            needed = set(used())
            gone = [one for one in old if one["path"].rpartition("/")[2] not in needed]
            for one in gone:
                self._obstore.delete(self._store, one["path"])
        return sum(int(one["size"]) for one in gone)

    def _now(self) -> float:
        """The time there, in unix seconds: that of a server whose clock need not be ours."""
        path = f"now/{secrets.token_hex(8)}"
        self._obstore.put(self._store, path, b"", use_multipart=False)
        there = float(self._obstore.head(self._store, path)["last_modified"].timestamp())
        self._obstore.delete(self._store, path)
        return there

    def _has(self, path: str) -> bool:
        with self._told():
            try:
                self._obstore.head(self._store, path)
            except (FileNotFoundError, self._errors.NotFoundError):
                return False
            return True

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Obstore's errors as ours; of their words, which can be pages, only the kind is told."""
        try:
            yield
        except (self._errors.BaseError, OSError) as error:
            raise RemoteError(
                f"The bucket of {self.address} cannot be used ({type(error).__name__}).",
                next_step="Check its name, AWS_REGION, and the credentials that AWS's usual variables or roles give.",
            ) from error


def library() -> Any:
    """The library that talks to buckets.

    Raises:
        RemoteError: the extra is not installed.
    """
    try:
        return importlib.import_module("obstore")
    except ImportError as error:
        raise RemoteError(
            "A remote store in a bucket needs the package obstore, which is not installed.",
            next_step="Install it: pip install 'bertbuild[s3]'.",
        ) from error


def _blob(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"
