"""Weights written as .safetensors: one file, or shards with an index, read back and compared.

The library safetensors takes all tensors of a file at once, and its version 0.8.0 writes wrong values of an array that
is not contiguous, without a word. Here one tensor is held at a time, contiguous; and what is in the file is compared
with where it came from, bit for bit. Source: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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
    for name, shard in zip(names, shards, strict=True):
        _write(folder / name, {tensor: shapes[tensor] for tensor in shard}, read)
        _compare(folder / name, shard, read)
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


def _write(path: Path, shapes: Mapping[str, tuple[int, ...]], read: Read) -> None:
    header: dict[str, object] = {"__metadata__": _METADATA}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + _bytes(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in shapes:
            np.ascontiguousarray(read(name), "<f4").tofile(file)


def _compare(path: Path, names: Sequence[str], read: Read) -> None:
    found = read_safetensors(path)
    for name in names:
        wanted, there = read(name).T, found[name].read().T  # a kernel lies in the checkpoint's own order that way
        if not np.array_equal(there.view(np.uint32), wanted.view(np.uint32)):
            raise CheckpointError(
                f"{path.name} does not hold the {name} that was written.",
                next_step="Check the disk, and convert again.",
            )


def _bytes(shape: tuple[int, ...]) -> int:
    return 4 * int(np.prod(shape, dtype=np.int64))
