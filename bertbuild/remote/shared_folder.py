"""A remote store in a folder that several machines see, as over NFS: blobs by their sha256, manifests by name.

Blobs and manifests appear under their names by one rename or link each, so nobody reads half of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from bertbuild.errors import RemoteError
from bertbuild.files.disk import FULL

_PIECE = 1 << 20
_UNFINISHED = 24 * 3600
"""Seconds after which a file that nobody finished may go."""


class Folder:
    """See `Transport`."""

    def __init__(self, address: str, path: Path) -> None:
        self.address, self._path = address, path

    def has_manifest(self, name: str) -> bool:
        """See `Transport`."""
        with self._told():
            return self._manifest_path(name).is_file()

    def manifest(self, name: str, most: int) -> bytes | None:
        """See `Transport`."""
        with self._told():
            try:
                with self._manifest_path(name).open("rb") as file:
                    return file.read(most + 1)
            except FileNotFoundError:
                self._require()
                return None

    def put_manifest(self, name: str, content: bytes, *, replace: bool) -> bool:
        """See `Transport`."""
        path = self._manifest_path(name)
        with self._told(), self._written(path) as temporary:
            temporary.write_bytes(content)
            _flush(temporary)
            if replace:
                temporary.replace(path)
                return True
            try:
                path.hardlink_to(temporary)  # fails where there is one, which a rename does not
            except FileExistsError:
                return False
            return True

    def has_blob(self, digest: str) -> bool:
        """See `Transport`. One that is there is as new from now on: `collect` leaves it to who asks."""
        with self._told():
            try:
                os.utime(self._blob_path(digest))
            except FileNotFoundError:
                return False
            return True

    def blob(self, digest: str, start: int) -> Iterator[bytes]:
        """See `Transport`."""
        with self._told(), self._blob_path(digest).open("rb", buffering=0) as file:
            file.seek(start)
            while piece := file.read(_PIECE):
                yield piece

    def put_blob(self, digest: str, size: int, opened: Callable[[], BinaryIO], progress: Callable[[int], None]) -> None:
        """See `Transport`. What is not of this digest does not come in."""
        path, sha256, count = self._blob_path(digest), hashlib.sha256(), 0
        with self._told(), self._written(path) as temporary:
            with opened() as source, temporary.open("wb") as file:
                while piece := source.read(_PIECE):
                    file.write(piece)
                    sha256.update(piece)
                    count += len(piece)
                    progress(len(piece))
            if (sha256.hexdigest(), count) != (digest, size):
                raise RemoteError(
                    "A file of a result was changed while it was sent.",
                    next_step="Run verify-store, and build it again.",
                )
            _flush(temporary)
            temporary.replace(path)

    def names(self) -> Iterator[str]:
        """See `Transport`."""
        with self._told():
            yield from sorted(path.name for path in (self._path / "results").glob("*") if path.name[:1] != ".")

    def remove(self, name: str) -> None:
        """See `Transport`."""
        with self._told():
            self._manifest_path(name).unlink(missing_ok=True)

    def collect(self, used: Callable[[], Iterable[str]]) -> int | None:
        """See `Transport`. A blob of the last day stays: its manifest may be on its way."""
        freed = 0
        with self._told():
            before = self._now() - _UNFINISHED
            old = [path for path in (self._path / "blobs").glob("*/*") if path.stat().st_mtime < before]
            needed = set(used())
            for path in old:
                if path.name not in needed:
                    freed += path.stat().st_size
                    path.unlink(missing_ok=True)
        return freed

    def _now(self) -> float:
        """The time there, in unix seconds: that of a server whose clock need not be ours."""
        with self._written(self._path / "now") as temporary:
            temporary.touch()
            return temporary.stat().st_mtime

    def _manifest_path(self, name: str) -> Path:
        return self._path / "results" / name

    def _blob_path(self, digest: str) -> Path:
        return self._path / "blobs" / digest[:2] / digest

    def _require(self) -> None:
        """Tell a folder that is gone, as where a disk of the network is not mounted, from one that lacks something."""
        if not self._path.is_dir():
            raise FileNotFoundError(2, "there is no such folder", str(self._path))

    @contextlib.contextmanager
    def _written(self, path: Path) -> Iterator[Path]:
        """A temporary file beside a path; it is gone in the end."""
        self._require()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                raise RemoteError(
                    f"The disk of the remote store {self.address} is full.", next_step="Free some space there."
                ) from error
            raise RemoteError(
                f"The remote store {self.address} cannot be used: {error.strerror or error}.",
                next_step="Check that the folder is mounted, and its permissions.",
            ) from error


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
