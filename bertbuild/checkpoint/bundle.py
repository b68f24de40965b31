"""The tensors of a TensorFlow V2 checkpoint, read without TensorFlow.

`<prefix>.index` is a table (see `table`) from tensor name to a BundleEntryProto; the tensors' bytes lie back to back in
`<prefix>.data-NNNNN-of-NNNNN`, little-endian and in C order. The empty key holds the BundleHeaderProto.
Source: tensorflow/core/protobuf/tensor_bundle.proto and core/util/tensor_bundle/tensor_bundle.cc (1.15).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint.crc32c import crc32c_in_place, unmasked
from bertbuild.checkpoint.slices import Extents, Region, fill, read_extents, region, slice_key
from bertbuild.checkpoint.table import TableFormatError, read_table
from bertbuild.checkpoint.user_files import open_unbuffered, read_regular
from bertbuild.errors import CheckpointError
from bertbuild.graph.dtypes import dtype_name
from bertbuild.graph.wire import LENGTH_DELIMITED, WireError, fields, signed

STORED_AS: Final = {
    "float32": "<f4",
    "float64": "<f8",
    "float16": "<f2",
    "bfloat16": "<u2",  # numpy has no bfloat16: its 16 bits, the upper half of a float32
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "uint8": "|u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "bool": "|b1",
    "complex64": "<c8",
    "complex128": "<c16",
}
"""TensorFlow's name of a dtype → the numpy dtype its tensors are read and written as."""

_LARGEST_INDEX: Final = 1 << 28  # BERT-Large with optimizer slots has 0.1 MB; more is another file by that name
_MOST_DIMENSIONS: Final = 32  # numpy's limit (64 from version 2); BERT's variables have two
_COPY_AGAIN: Final = "Copy or download the checkpoint again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorEntry:
    """Where a tensor lies. `offset` and `nbytes` count bytes in the data file of `shard`; `crc32c` is not masked."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    nbytes: int
    crc32c: int
    slices: int = 0
    """Into how many parts a partitioned variable was cut; 0 for an ordinary one. Only its parts have a place."""

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a partitioned variable: where it lies in the whole, and its bytes (under the variable's name)."""

    region: Region
    entry: TensorEntry


class CheckpointReader:
    """Reads the tensors of the checkpoint `prefix` (a path without `.index`).

    Opening reads the index only, so it works where data files are missing. Raises `CheckpointError` when the index
    cannot be read or is damaged.
    """

    def __init__(self, prefix: Path | str) -> None:
        self.prefix = Path(prefix)
        self.index = self.prefix.with_name(self.prefix.name + ".index")
        self.shards = 1
        self.entries: dict[str, TensorEntry] = {}
        self.parts: dict[str, tuple[Part, ...]] = {}
        slices: dict[bytes, bytes] = {}
        cut: dict[str, list[Extents]] = {}
        try:
            for key, value in _read_index(self.index):
                if key == b"":
                    self.shards = _read_header(value, self.index)
                elif key.startswith(b"\0"):  # such keys name the parts of partitioned variables
                    slices[key] = value
                else:
                    name = key.decode()
                    self.entries[name] = _read_entry(name, value)
                    if self.entries[name].slices:
                        cut[name] = [
                            read_extents(value[field.start : field.end]) for field in fields(value) if field.number == 7
                        ]
            self._join(cut, slices)
        except (WireError, UnicodeDecodeError) as error:
            raise _damaged(self.index, f"an entry is malformed: {error}") from error
        for entry in (*self.entries.values(), *(part.entry for parts in self.parts.values() for part in parts)):
            _check_entry(entry, self.shards, self.index)
        self._require_apart()

    def _require_apart(self) -> None:
        """Raise `CheckpointError` where two tensors lie in the same bytes: no more is read than data files hold."""
        before: TensorEntry | None = None
        full = [piece for piece in self.pieces() if piece.nbytes]
        for entry in sorted(full, key=lambda piece: (piece.shard, piece.offset)):
            if before and before.shard == entry.shard and entry.offset < before.offset + before.nbytes:
                raise _damaged(self.index, f"{before.name} and {entry.name} are said to lie in the same bytes")
            before = entry

    def _join(self, cut: Mapping[str, list[Extents]], slices: Mapping[bytes, bytes]) -> None:
        if sum(map(len, cut.values())) > len(slices):
            raise WireError("a part is missing, or named twice: variables are cut into more parts than there are")
        for name, extents in cut.items():
            self.parts[name] = self._parts(self.entries[name], extents, slices)

    def _parts(self, entry: TensorEntry, cut: list[Extents], slices: Mapping[bytes, bytes]) -> tuple[Part, ...]:
        """The parts of a partitioned variable. Raises `WireError` where they are not the whole of it."""
        parts = []
        for extents in cut:
            place = region(entry.shape, extents)
            value = slices.get(slice_key(entry.name, extents))
            if value is None:
                raise WireError(f"a part of {entry.name} is missing")
            part = _read_entry(entry.name, value)
            if part.shape != tuple(span.stop - span.start for span in place) or part.dtype != entry.dtype:
                raise WireError(f"a part of {entry.name} has another shape or dtype than the whole says")
            parts.append(Part(region=place, entry=part))
        if not fill(entry.shape, [part.region for part in parts]):
            raise WireError(f"the parts of {entry.name} are not the whole of it")
        return tuple(parts)

    def pieces(self) -> Iterator[TensorEntry]:
        """All that lies in the data files: each tensor, and in the place of a partitioned one its parts."""
        for name, entry in self.entries.items():
            if name in self.parts:
                yield from (part.entry for part in self.parts[name])
            else:
                yield entry

    def data_file(self, shard: int) -> Path:
        """The path of the data file of `shard`, whether it exists or not."""
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}")

    def tensor(self, name: str) -> npt.NDArray[Any]:
        """The tensor `name`, read from disk; its dtype is that of `STORED_AS` (bfloat16 as uint16).

        The parts of a partitioned one are joined. Its checksum is not looked at: that is what `verify` is for. Raises
        `CheckpointError` when there is no such tensor, when it is of a dtype without fixed size, or when its bytes
        cannot be read.
        """
        entry = self._entry(name)
        if name not in self.parts:
            return self._array(entry)
        whole = np.empty(entry.shape, STORED_AS[entry.dtype])
        for part in self.parts[name]:
            whole[part.region] = self._array(part.entry)
        return whole

    def mapped(self, name: str) -> npt.NDArray[Any]:
        """As `tensor`, and a view of the data file where the tensor is whole: its pages are read when they are used.

        Written to, it changes and the file does not. The file must not change while the array is there.
        """
        entry = self._entry(name)
        if name in self.parts or not entry.nbytes:
            return self.tensor(name)
        path = self.data_file(entry.shard)
        try:
            if path.stat().st_size < entry.offset + entry.nbytes:
                raise _damaged(path, f"it ends inside the tensor {entry.name}")
            return np.memmap(path, STORED_AS[entry.dtype], "c", entry.offset, entry.shape)
        except OSError as error:
            raise CheckpointError(
                f"The data file {path} cannot be read.", next_step=_COPY_AGAIN, details=str(error)
            ) from error

    def verify(self, name: str) -> None:
        """Raise `CheckpointError` unless the bytes of the tensor `name` have the CRC-32C in the index.

        Reads the whole tensor into memory; `checksums` checks a whole checkpoint in little. Refuses what `tensor` does.
        """
        entry = self._entry(name)
        for piece in [part.entry for part in self.parts.get(name, ())] or [entry]:
            if crc32c_in_place(self._content(piece)) != piece.crc32c:
                raise _damaged(self.data_file(piece.shard), checksum_problem(piece))

    def _entry(self, name: str) -> TensorEntry:
        """The entry of a tensor whose bytes can be read."""
        entry = self.entries.get(name)
        if entry is None:
            raise CheckpointError(
                f"The checkpoint {self.prefix} has no tensor {name}.",
                next_step="See `bertbuild inspect` for the tensors it has.",
            )
        if entry.dtype not in STORED_AS:
            raise CheckpointError(
                f"The tensor {name} has dtype {entry.dtype}, which bertbuild lists but does not read.",
                next_step="Name a tensor of numbers.",
            )
        return entry

    def _array(self, entry: TensorEntry) -> npt.NDArray[Any]:
        return self._content(entry).view(STORED_AS[entry.dtype]).reshape(entry.shape)

    def _content(self, entry: TensorEntry) -> npt.NDArray[np.uint8]:
        path = self.data_file(entry.shard)
        try:
            with open_unbuffered(path) as file:
                if os.fstat(file.fileno()).st_size < entry.offset + entry.nbytes:
                    raise _damaged(path, f"it ends inside the tensor {entry.name}")
                content = np.empty(entry.nbytes, np.uint8)
                file.seek(entry.offset)
                read_fully(file, content)
        except OSError as error:
            raise CheckpointError(
                f"The data file {path} cannot be read.", next_step=_COPY_AGAIN, details=str(error)
            ) from error
        return content


def read_fully(file: FileIO, content: npt.NDArray[np.uint8]) -> None:
    """Fill `content` from `file` (unbuffered). Raises OSError when the file ends first."""
    done = 0
    while done < len(content):
        count = file.readinto(content[done:].data)
        if not count:
            raise OSError("the file became shorter while it was read")
        done += count


def checksum_problem(entry: TensorEntry) -> str:
    """The clause that says that a tensor's bytes are not those its checksum was taken of."""
    return (
        f"the {entry.nbytes} bytes of {entry.name} at offset {entry.offset} do not have the checksum "
        f"{entry.crc32c:#010x} recorded in the index"
    )


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"The file {path} is damaged: {why}.", next_step=_COPY_AGAIN)


def _read_index(path: Path) -> list[tuple[bytes, bytes]]:
    try:
        size = path.stat().st_size
        data = read_regular(path) if size <= _LARGEST_INDEX else b""
    except OSError as error:
        raise CheckpointError(
            f"The index {path} cannot be read.",
            next_step="Check that the file exists and may be read.",
            details=str(error),
        ) from error
    if size > _LARGEST_INDEX:
        raise _damaged(path, f"it has {size} bytes, far too many for an index")
    try:
        table = read_table(data)
    except TableFormatError as error:
        raise _damaged(path, str(error)) from error
    if not table or table[0][0] != b"":
        raise _damaged(path, "it does not have the header of a checkpoint")
    return table


def _read_header(value: bytes, index: Path) -> int:
    """The number of data files."""
    shards, endianness = 0, 0
    for field in fields(value):
        if field.number == 1:
            shards = signed(field.value)
        elif field.number == 2:
            endianness = field.value
    if endianness != 0:
        raise CheckpointError(
            f"The checkpoint {index} was written on a big-endian machine, which bertbuild does not read.",
            next_step="Restore it in TensorFlow on that machine's kind and save it on a little-endian one.",
        )
    if not 0 < shards < 100_000:
        raise _damaged(index, f"its header announces {shards} data files")
    return shards


def _read_entry(name: str, value: bytes) -> TensorEntry:
    dtype = shard = offset = nbytes = crc = slices = 0
    shape: tuple[int, ...] = ()
    for field in fields(value):
        if field.number == 1:
            dtype = field.value
        elif field.number == 2 and field.wire_type == LENGTH_DELIMITED:
            shape = read_shape(value[field.start : field.end])
        elif field.number == 3:
            shard = signed(field.value)
        elif field.number == 4:
            offset = signed(field.value)
        elif field.number == 5:
            nbytes = signed(field.value)
        elif field.number == 6:
            crc = field.value & 0xFFFFFFFF
        elif field.number == 7:
            slices += 1
    return TensorEntry(
        name=name,
        dtype=dtype_name(dtype),
        shape=shape,
        shard=shard,
        offset=offset,
        nbytes=nbytes,
        crc32c=unmasked(crc),
        slices=slices,
    )


def read_shape(message: bytes) -> tuple[int, ...]:
    """A TensorShapeProto in which every size is known. Raises `WireError` for one of too many axes, or none."""
    sizes = []
    for dimension in fields(message):
        if dimension.number == 2 and dimension.wire_type == LENGTH_DELIMITED:
            inner = fields(message, dimension.start, dimension.end)
            sizes.append(next((signed(field.value) for field in inner if field.number == 1), 0))
            if len(sizes) > _MOST_DIMENSIONS:
                raise WireError(f"a shape has more than {_MOST_DIMENSIONS} axes")
    return tuple(sizes)


def _check_entry(entry: TensorEntry, shards: int, index: Path) -> None:
    placed = entry.offset >= 0 and entry.nbytes >= 0 and 0 <= entry.shard < shards
    if not placed or min(entry.shape, default=0) < 0 or len(entry.shape) > _MOST_DIMENSIONS:
        raise _damaged(index, f"the entry of {entry.name} has a size, place or data file that cannot be")
    stored = STORED_AS.get(entry.dtype)
    if stored and not entry.slices and entry.nbytes != entry.size * np.dtype(stored).itemsize:
        raise _damaged(
            index, f"{entry.name} has {entry.nbytes} bytes, which does not fit {entry.dtype} {list(entry.shape)}"
        )
