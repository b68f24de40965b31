"""Whether the data files that an index speaks of are there and as long as it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bertbuild.checkpoint.bundle import CheckpointReader, TensorEntry
from bertbuild.checkpoint.lfs import POINTER_SUFFIX, lfs_pointer
from bertbuild.checkpoint.regular import irregular
from bertbuild.plural import number_of

_MOST_MISSING: Final = 20
"""After so many data files that are not there no others are looked for: an index can speak of 99,999."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFiles:
    """The result of `check_data_files`."""

    readable: tuple[int, ...]
    """The shards whose data files hold data, if perhaps not all of it."""
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def check_data_files(reader: CheckpointReader) -> DataFiles:
    """Look at each data file: is it there, is it data, is it long enough? One problem per file, not one per tensor."""
    readable: list[int] = []
    problems: list[str] = []
    by_shard = pieces_by_shard(reader)
    warnings: list[str] = []
    absent = 0
    for shard in range(reader.shards):
        problem = _absence(reader, shard)
        if problem is not None:
            absent += 1
            problems.append(problem)
            if absent == _MOST_MISSING and shard + 1 < reader.shards:
                more = number_of(reader.shards - shard - 1, "data file")
                problems.append(f"{more} more were not looked for: {absent} are not there already.")
                break
            continue
        readable.append(shard)
        path = reader.data_file(shard)
        size = path.stat().st_size
        entries = by_shard.get(shard, [])
        needed = max((entry.offset + entry.nbytes for entry in entries), default=0)
        if size < needed:
            beyond = [entry for entry in entries if entry.offset + entry.nbytes > size]
            first = min(beyond, key=_offset)
            problems.append(
                f"{path.name} is cut off: it has {size} of {needed} bytes, and {len(beyond)} of "
                f"{number_of(len(entries), 'tensor')} "
                f"are not wholly there, the first being {first.name} at offset {first.offset}.",
            )
        elif size > needed:
            warnings.append(
                f"{path.name} has {number_of(size - needed, 'byte')} after its last tensor, which nothing refers to.",
            )
    return DataFiles(readable=tuple(readable), problems=tuple(problems), warnings=tuple(warnings))


def pieces_by_shard(reader: CheckpointReader) -> dict[int, list[TensorEntry]]:
    """All that lies in each data file that holds something, in the order of the index."""
    found: dict[int, list[TensorEntry]] = {}
    for piece in reader.pieces():
        found.setdefault(piece.shard, []).append(piece)
    return found


def _absence(reader: CheckpointReader, shard: int) -> str | None:
    """The sentence on a data file that is missing or only pointed to; None for one that is there."""
    path = reader.data_file(shard)
    odd = irregular(path)
    if odd is not None:
        return f"{path.name} {odd}."
    pointer = lfs_pointer(path)
    if pointer is None:
        if path.is_file():
            return None
        pointer = lfs_pointer(path.with_name(path.name + POINTER_SUFFIX))
    if pointer is None:
        return f"The data file {path.name} is missing."
    size = f" of {pointer.size} bytes" if pointer.size is not None else ""
    return f"{pointer.path.name} is a git-lfs pointer in place of the data file{size}; run `git lfs pull`."


def _offset(entry: TensorEntry) -> int:
    return entry.offset
