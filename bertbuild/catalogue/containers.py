"""A zip or a tar, opened: what it says of its members, and their bytes."""

from __future__ import annotations

import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Protocol, Self

from bertbuild.catalogue.members import Entry, Kind, Limits
from bertbuild.errors import ArchiveError
from bertbuild.files.zips import directory

TARS: Final = {".tar": "", ".tar.gz": "gz", ".tgz": "gz", ".tar.bz2": "bz2", ".tar.xz": "xz"}
"""How the names of tars end → what they are packed by; any other archive is a zip."""
DAMAGE: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What the libraries raise of an archive that is not whole, or is none."""

_ENCRYPTED: Final = 0x1  # general purpose bit 0, APPNOTE.TXT 4.4.4
_CHUNK: Final = 1 << 20


class Container(Protocol):
    """An open archive. Its members are listed before any is opened."""

    def __enter__(self) -> Self:
        """It."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def entries(self) -> Iterator[Entry]:
        """All its members, in its order."""

    def open(self, entry: Entry) -> IO[bytes]:
        """The bytes of a file in it."""


def open_container(archive: Path, limits: Limits) -> Container:
    """An archive, by its name. Raises OSError, or one of `DAMAGE`."""
    return Zip(archive, limits) if ending_of(archive) == ".zip" else Tar(archive, limits)


def ending_of(archive: Path) -> str:
    """What an archive is by its name: one of `TARS`, or ".zip"."""
    return next((ending for ending in TARS if archive.name.endswith(ending)), ".zip")


class Zip:
    """A zip, whose directory lists its members."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        told = directory(archive)
        if told is not None and told.size > limits.directory:
            raise ArchiveError(
                f"{archive.name} is not unpacked: its directory has {told.size:,} bytes; at most "
                f"{limits.directory:,} are read.",
                next_step="Nothing was written. Get the archive from a source you trust, or unpack it yourself.",
            )
        self._opened = zipfile.ZipFile(archive)
        infos = self._opened.infolist()
        if told is None or not told.has(len(infos)):
            self._opened.close()
            raise zipfile.BadZipFile(f"its directory lists {len(infos)} members, and has others")
        if sum(info.compress_size for info in infos) > archive.stat().st_size:
            self._opened.close()
            raise zipfile.BadZipFile("its members lie in the same bytes")

    def __enter__(self) -> Self:
        """It."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self._opened.close()

    def entries(self) -> Iterator[Entry]:
        """All its members."""
        for info in self._opened.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            regular: Kind = "folder" if info.filename.endswith("/") else "file"  # is_dir() fails on no name
            yield Entry(
                name=info.orig_filename,  # zipfile cuts names at a zero byte, and rewrites its own system's separators
                size=info.file_size,
                packed=info.compress_size,
                kind=regular if mode in (0, stat.S_IFREG, stat.S_IFDIR) else "other",
                encrypted=bool(info.flag_bits & _ENCRYPTED),
                handle=info,
            )

    def open(self, entry: Entry) -> IO[bytes]:
        """The bytes of a file in it."""
        return self._opened.open(entry.handle)


class Tar:
    """A tar, which has no directory: it is listed by unpacking it, so its growth is watched meanwhile."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._packed = archive.stat().st_size
        mode: Any = f"r:{TARS[ending_of(archive)]}"
        self._opened: tarfile.TarFile = tarfile.open(archive, mode)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        """It."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self._opened.close()

    def entries(self) -> Iterator[Entry]:
        """All its members; stops at the first that says that it all grows beyond the limits, before it is unpacked."""
        try:
            yield from self._listed()
        except OSError as error:
            if error.errno is None:  # bz2 says so of damage, and the system has a number for all that it says
                raise tarfile.ReadError(str(error)) from error
            raise

    def _listed(self) -> Iterator[Entry]:
        total, count, limits = 0, 0, self._limits
        for info in self._opened:
            count, total = count + 1, total + info.size
            if count > limits.members:
                raise self._refused(f"it has more than {limits.members:,} members")
            if total > limits.ratio_from and total > limits.ratio * self._packed:
                raise self._refused(f"its member {info.name!r} makes it grow more than {limits.ratio} times")
            plain: Kind = "file" if info.isreg() and not info.issparse() else "folder" if info.isdir() else "other"
            yield Entry(name=info.name, size=info.size, packed=None, kind=plain, encrypted=False, handle=info)
        self._read_to_the_end()

    def open(self, entry: Entry) -> IO[bytes]:
        """The bytes of a file in it."""
        opened = self._opened.extractfile(entry.handle)
        assert opened is not None  # noqa: S101 - only files are opened
        return opened

    def _read_to_the_end(self) -> None:
        """Tarfile takes a header that it cannot read for the end, and so where a tar is cut between two members.

        A tar ends with blocks of zeros; what it is packed by, if it is, holds its checksum against all of it.
        """
        stream = self._opened.fileobj
        assert stream is not None  # noqa: S101 - it was opened by its name
        stream.seek(self._opened.offset)
        ended = False
        while chunk := stream.read(_CHUNK):
            ended = True
            if chunk.strip(b"\0"):
                raise tarfile.ReadError("a header in it cannot be read")
        if not ended:
            raise tarfile.ReadError("it is cut short")

    def _refused(self, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self._archive.name} is not unpacked: {why}.",
            next_step="Nothing was written. Get the archive from a source you trust, or unpack it yourself.",
        )
