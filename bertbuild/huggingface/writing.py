"""Weights written as .safetensors: one file, or shards with an index, read back and compared.

The library safetensors takes all tensors of a file at once, and its version 0.8.0 writes wrong values of an array that
is not contiguous, without a word. Here two tensors are held at a time, contiguous, by a thread each; and what is in the
file where its header, read again, has the tensor is compared with it, bit for bit.
Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import INDEX
from bertbuild.huggingface.safetensors import read_safetensors
from bertbuild.huggingface.stored import Floats

SHARD_BYTES: Final = 5_000_000_000
"""How many bytes of tensors a file holds at most; what transformers' own max_shard_size was up to its version 4."""

_METADATA: Final = {"format": "pt"}
"""One key: the library writes several in random order, and transformers asks for this one."""
_FILE: Final = "model.safetensors"
_ALIGNED: Final = 8  # bytes: where the numbers begin is a multiple of it
_READ_BYTES: Final = 1 << 20
"""Read back at once: what stays in the processor's cache."""
_TURNED_AT_ONCE: Final = 16
"""Columns that are turned at once: their lines stay in the cache (3072 x 768: a third of the time of all at once)."""
_THREADS: Final = 2
"""One turns or compares while the other writes; the kernel takes one write to a file at a time."""

Read = Callable[[str], Floats]
"""The numbers of a tensor by its name in the file: float32, of any strides."""


def write_weights(
    folder: Path, shapes: Mapping[str, tuple[int, ...]], read: Read, most: int = SHARD_BYTES
) -> list[str]:
    """Write tensors into model.safetensors, or shards and their index; gives the names of the files.

    Args:
        folder: where they go.
        shapes: name → sizes, of all tensors.
        read: gives the numbers of one.
        most: bytes of tensors that a file may hold; a larger tensor has a file of its own.

    Raises:
        CheckpointError: what lies in a file is not what was to be written.
    """
    shards = _shards(shapes, most)
    names = [_FILE]
    if len(shards) > 1:
        names = [f"model-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)]
        weight_map = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        total = sum(_bytes(shape) for shape in shapes.values())
        text = json.dumps({"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}, indent=2)
        (folder / (_FILE + INDEX)).write_text(text + "\n", encoding="utf-8")
    most_turned = max((_bytes(shape) for shape in shapes.values() if len(shape) > 1), default=0)
    buffers = [_Buffers(most_turned) for _ in range(_THREADS)]
    for name, shard in zip(names, shards, strict=True):
        _write(folder / name, {tensor: shapes[tensor] for tensor in shard}, read, buffers)
    return names


def _shards(shapes: Mapping[str, tuple[int, ...]], most: int) -> list[list[str]]:
    shards: list[list[str]] = []
    room = 0
    for name in sorted(shapes):
        size = _bytes(shapes[name])
        if not shards or size > room:
            shards.append([])
            room = most
        shards[-1].append(name)
        room -= size
    return shards


def _write(path: Path, shapes: Mapping[str, tuple[int, ...]], read: Read, buffers: Sequence[_Buffers]) -> None:
    """Write a file; what it holds at the place that its header gives a tensor is compared with that tensor."""
    header: dict[str, object] = {"__metadata__": _METADATA}
    begins: dict[str, int] = {}
    end = 0
    for name, shape in shapes.items():
        begins[name] = begin = end
        end += _bytes(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with path.open("w+b", buffering=0) as file:
        _write_fully(file.fileno(), 0, len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
        places = read_safetensors(path)  # as its readers have them
        rest = iter(shapes)

        def write_rest(own: _Buffers) -> None:
            for name in rest:
                numbers = own.contiguous(read(name))
                _write_fully(file.fileno(), begins[name] + 8 + len(text), numbers.view(np.uint8).reshape(-1).data)
                if not own.is_there(file.fileno(), places[name].offset, numbers):
                    raise CheckpointError(
                        f"{path.name} does not hold the {name} that was written.",
                        next_step="Check the disk, and convert again.",
                    )

        with ThreadPoolExecutor(len(buffers)) as threads:  # NumPy and the kernel hold no lock of Python's
            for done in [threads.submit(write_rest, own) for own in buffers]:
                done.result()


def _write_fully(file: int, offset: int, content: bytes | memoryview) -> None:
    """Write all of it at a place; a single call may write less."""
    rest = memoryview(content)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


class _Buffers:
    """Memory that all tensors of a thread are turned and read back in: new memory each time costs as much as the copy.

    Args:
        most: bytes of the largest tensor that may have to be turned.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._turned: Floats | None = None
        self._read = np.empty(_READ_BYTES // 4, np.uint32)

    def contiguous(self, numbers: Floats) -> Floats:
        """The numbers one row after another: as they are, or in the memory of the call before."""
        if numbers.flags.c_contiguous and numbers.dtype == np.dtype("<f4"):
            return numbers
        if numbers.ndim != 2:
            return np.ascontiguousarray(numbers, "<f4")
        if self._turned is None:
            self._turned = np.empty(self._most // 4, "<f4")
        turned = self._turned[: numbers.size].reshape(numbers.shape)
        for begin in range(0, numbers.shape[1], _TURNED_AT_ONCE):
            columns = slice(begin, begin + _TURNED_AT_ONCE)
            turned[:, columns] = numbers[:, columns]
        return turned

    def is_there(self, file: int, offset: int, numbers: Floats) -> bool:
        """Whether a file has these numbers at a place, bit for bit."""
        wanted = numbers.reshape(-1).view(np.uint32)
        for begin in range(0, wanted.size, self._read.size):
            part = wanted[begin : begin + self._read.size]
            found = self._read[: part.size]
            if os.preadv(file, [found.view(np.uint8).data], offset + 4 * begin) != part.nbytes or (found != part).any():
                return False
        return True


def _bytes(shape: tuple[int, ...]) -> int:
    return 4 * int(np.prod(shape, dtype=np.int64))
