"""Checkpoints in the first format (`SaverDef.V1`, and TensorFlow before 0.12): one file, a table that holds it all.

The empty key has a SavedTensorSlices that tells the name, shape, dtype and parts of every tensor; each part has one
more, with its numbers, under the key that `slices.slice_key` makes. A sharded one is several such files, each with
tensors of its own.
Source: tensorflow/core/util/saved_tensor_slice.proto, tensor_slice_{reader,writer}.cc, framework/tensor.proto (1.15).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint.bundle import STORED_AS, TensorEntry, read_shape
from bertbuild.checkpoint.checksums import Checked, Progress, is_finite
from bertbuild.checkpoint.slices import Extents, fill, read_extents, region, slice_key
from bertbuild.checkpoint.table import Table, TableFormatError
from bertbuild.checkpoint.user_files import open_regular
from bertbuild.checkpoint.v1_files import SHARD
from bertbuild.errors import CheckpointError
from bertbuild.graph.dtypes import dtype_name
from bertbuild.graph.wire import WireError, fields
from bertbuild.plural import are, number_of

_VALUES: Final = {"float32": (5, "<f4"), "float64": (6, "<f8")}
"""The field of a TensorProto that has a dtype's numbers, packed, and what they are read as."""
_MOST_TENSORS: Final = 1 << 16
"""As many as a table of the second format may have keys."""
_COPY_AGAIN: Final = "Copy or download the checkpoint again."
_SAVE_ANEW: Final = (
    "Save it again in TensorFlow 1: tf.train.Saver(write_version=tf.train.SaverDef.V2).save(session, 'model.ckpt')"
)


class V1Reader:
    """Reads the tensors of a V1 checkpoint, as `CheckpointReader` does those of a V2 one.

    Opening reads what the files tell of their tensors. Raises `CheckpointError` where that is damaged.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        shard = SHARD.fullmatch(files[0].name)
        if shard is not None and int(shard["count"]) != len(files):
            raise CheckpointError(
                f"Of the {number_of(int(shard['count']), 'file')} of {shard['prefix']} only {len(files)} "
                f"{are(len(files))} there.",
                next_step="Copy or download the whole checkpoint.",
            )
        self.entries: dict[str, TensorEntry] = {}
        self._places: dict[str, tuple[_File, tuple[Extents, ...]]] = {}
        for number, path in enumerate(files):
            file = _File(path)
            for entry, cut in file.tensors(number):
                if len(self.entries) == _MOST_TENSORS:
                    raise file.broken(f"it tells of more than {_MOST_TENSORS} tensors, the most that are read")
                self.entries[entry.name] = entry
                self._places[entry.name] = (file, cut)

    def tensor(self, name: str) -> npt.NDArray[Any]:
        """The tensor `name`, its parts joined; every block that is read is held against its checksum.

        Raises `CheckpointError` when there is no such tensor, when it is not of floating numbers, or damaged.
        """
        entry = self.entries.get(name)
        if entry is None or entry.dtype not in _VALUES:
            what = "has no tensor" if entry is None else f"has a tensor of dtype {entry.dtype} that is not read,"
            raise CheckpointError(f"The checkpoint {what} {name}.", next_step=_SAVE_ANEW)
        file, cut = self._places[name]
        whole = np.empty(entry.shape, STORED_AS[entry.dtype])
        for extents in _in_order(name, cut):
            place = region(entry.shape, extents)
            shape = tuple(span.stop - span.start for span in place)
            value = file.value(slice_key(name, extents))
            whole[place] = _numbers(value, entry.dtype, math.prod(shape), file.path).reshape(shape)
        return whole

    def check(self, progress: Progress | None = None) -> Checked:
        """Look at every tensor; reads every block."""
        problems, unbounded = [], set()
        total = sum(entry.nbytes for entry in self.entries.values())
        done = 0
        for name, entry in sorted(self.entries.items()):
            file, cut = self._places[name]
            try:
                for extents in _in_order(name, cut):
                    value = file.value(slice_key(name, extents))
                    if not self._is_finite(entry, extents, value, file.path):
                        unbounded.add(name)
            except CheckpointError as error:
                problems.append(f"{name} is damaged: {error}")
            done += entry.nbytes
            if progress is not None:
                progress(done, total)
        return Checked(
            problems=tuple(problems), intact=len(self.entries) - len(problems), not_finite=tuple(sorted(unbounded))
        )

    def _is_finite(self, entry: TensorEntry, extents: Extents, value: bytes, path: Path) -> bool:
        """Whether all numbers of a part are; those of a dtype that is not read count as such."""
        if entry.dtype not in _VALUES:
            return True
        count = math.prod(span.stop - span.start for span in region(entry.shape, extents))
        return is_finite(_numbers(value, entry.dtype, count, path), entry.dtype)


class _File:
    """One file: its table, and the block that was read last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[int, dict[bytes, bytes]] | None = None
        try:
            self._table = Table(path.stat().st_size, self._read)
        except TableFormatError as error:
            raise self.broken(str(error)) from error
        except OSError as error:
            raise self._unreadable(error) from error

    def tensors(self, shard: int) -> Iterable[tuple[TensorEntry, tuple[Extents, ...]]]:
        """What the file tells of its tensors, and the parts of each."""
        message = self.value(b"")
        try:
            for field in fields(message):
                if field.number == 1:
                    for item in fields(message, field.start, field.end):
                        if item.number == 1:
                            yield _tensor(message[item.start : item.end], shard)
        except (WireError, UnicodeDecodeError) as error:
            raise self.broken(f"what it tells of its tensors is malformed: {error}") from error

    def value(self, key: bytes) -> bytes:
        """The value of a key. Raises `CheckpointError` where it is not there or damaged."""
        number = self._table.number_of(key)
        try:
            if number is not None and (self._last is None or self._last[0] != number):
                self._last = (number, dict(self._table.block(number)))
        except TableFormatError as error:
            raise self.broken(str(error)) from error
        except OSError as error:
            raise self._unreadable(error) from error
        if self._last is None or key not in self._last[1]:
            raise self.broken("a tensor that it tells of is not in it")
        return self._last[1][key]

    def broken(self, why: str) -> CheckpointError:
        """The error for a damaged file."""
        return CheckpointError(f"The file {self.path} is damaged: {why}.", next_step=_COPY_AGAIN)

    def _unreadable(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.path} cannot be read.", next_step=_COPY_AGAIN, details=str(error))

    def _read(self, offset: int, size: int) -> bytes:
        with open_regular(self.path) as file:
            file.seek(offset)
            return file.read(size)


def _in_order(name: str, cut: Iterable[Extents]) -> list[Extents]:
    """The parts of a tensor as they lie in the file, so that no block is read twice."""
    return sorted(cut, key=lambda extents: slice_key(name, extents))


def _tensor(message: bytes, shard: int) -> tuple[TensorEntry, tuple[Extents, ...]]:
    """A SavedSliceMeta. Raises `WireError` where its parts are not the whole."""
    name, dtype = "", 0
    cut: list[Extents] = []
    shape: tuple[int, ...] = ()
    for field in fields(message):
        content = message[field.start : field.end]
        if field.number == 1:
            name = content.decode()
        elif field.number == 2:
            shape = read_shape(content)
        elif field.number == 3:
            dtype = field.value
        elif field.number == 4:
            if len(cut) == _MOST_TENSORS:
                raise WireError(f"a tensor has more than {_MOST_TENSORS} parts, the most that are read")
            cut.append(read_extents(content))
    if min(shape, default=0) < 0 or not fill(shape, [region(shape, extents) for extents in cut]):
        raise WireError(f"the parts of {name} are not the whole of it")
    known = STORED_AS.get(dtype_name(dtype))
    entry = TensorEntry(
        name=name,
        dtype=dtype_name(dtype),
        shape=shape,
        shard=shard,
        offset=0,
        nbytes=math.prod(shape) * np.dtype(known).itemsize if known else 0,
        crc32c=0,
        slices=len(cut) if len(cut) > 1 else 0,
    )
    return entry, tuple(cut)


def _numbers(message: bytes, dtype: str, count: int, path: Path) -> npt.NDArray[Any]:
    """The numbers in a SavedTensorSlices with a part of a tensor."""
    number, stored = _VALUES[dtype]
    try:
        for name in (2, 3):  # its data: a SavedSlice; of that the data: a TensorProto
            found = next((field for field in fields(message) if field.number == name), None)
            message = b"" if found is None else message[found.start : found.end]
        values = [message[field.start : field.end] for field in fields(message) if field.number == number]
    except WireError as error:
        raise CheckpointError(f"The file {path} is damaged: {error}.", next_step=_COPY_AGAIN) from error
    content = b"".join(values)
    if len(content) != count * np.dtype(stored).itemsize:
        raise CheckpointError(
            f"The file {path} is damaged: a tensor has {number_of(len(content), 'byte')} of numbers, not "
            f"{number_of(count, 'number')}.",
            next_step=_COPY_AGAIN,
        )
    return np.frombuffer(content, stored)
