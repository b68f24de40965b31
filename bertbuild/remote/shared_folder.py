"""A remote store in a folder that several machines see, as over NFS: blobs by their sha256, manifests by name.

Blobs and manifests appear under their names by one rename or link each, so nobody reads half of one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from bertbuild.errors import RemoteError
from bertbuild.files.disk import FULL
from bertbuild.remote.protocols import GoneError

_PIECE = 1 << 20
_UNFINISHED = 24 * 3600
"""Seconds after which a file that nobody finished may go."""


_BLOB = re.compile(r"\.?([0-9a-f]{2})[0-9a-f]{62}(?:\.[0-9a-f]+)?")
"""A blob's name, or that of the file that becomes one."""


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
                with _opened(self._manifest_path(name)) as file:
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
        with self._told():
            try:
                file = _opened(self._blob_path(digest))
            except FileNotFoundError as error:
                self._require()
                raise GoneError from error
        with self._told(), file:
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
            old = [path for path in self._blobs() if path.stat().st_mtime < before]
            needed = set(used())
            for path in old:
                if path.name not in needed:
                    freed += path.stat().st_size
                    path.unlink(missing_ok=True)
        return freed

    def _blobs(self) -> Iterator[Path]:
        """All blobs, and what nobody finished. Links lead elsewhere, where nothing is ours to remove."""
        above = self._path / "blobs"
        for folder in () if above.is_symlink() else above.glob("*"):
            if folder.is_dir() and not folder.is_symlink():
                yield from (path for path in folder.iterdir() if _is_blob(path))

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


def _opened(path: Path) -> BinaryIO:
    """A file to read, where it is one: a link leads elsewhere, a named pipe lets its reader wait.

    Raises:
        OSError: it is none, or not there.
    """
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it has something that is no file", str(path))
    return os.fdopen(file, "rb", buffering=0)


def _is_blob(path: Path) -> bool:
    found = _BLOB.fullmatch(path.name)
    return found is not None and found[1] == path.parent.name and stat.S_ISREG(path.lstat().st_mode)


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
