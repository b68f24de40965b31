"""Every tensor of a checkpoint against the CRC-32C in its index, in one pass over the data files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bertbuild.checkpoint.bundle import STORED_AS, CheckpointReader, TensorEntry, checksum_problem, read_fully
from bertbuild.checkpoint.crc32c import crc32c_in_place
from bertbuild.checkpoint.data_files import pieces_by_shard
from bertbuild.checkpoint.user_files import open_unbuffered

Progress = Callable[[int, int], None]
"""Called with the bytes checked so far and the bytes there are to check."""

CHECKED_FOR_FINITE: Final = ("float16", "float32", "float64")
_EXPONENT: Final = 0x7F80
"""Of a bfloat16: all ones in a NaN and in what is infinite."""
_CHUNK: Final = 1 << 20  # bytes; what was just read is still in the L2 cache when its checksum is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in the tensors of a checkpoint.

    Attributes:
        problems: a sentence per damaged tensor.
        intact: how many are as they were written.
        not_finite: those with a NaN or an infinite number in them, by name.
    """

    problems: tuple[str, ...]
    intact: int
    not_finite: tuple[str, ...]


def check_tensors(reader: CheckpointReader, shards: Iterable[int], progress: Progress | None = None) -> Checked:
    """Check every tensor in the data files of `shards`.

    Tensors that reach beyond the end of their file are passed over (see `data_files`), as are strings, whose checksum
    is taken of another form than lies in the file. Memory: 1 MB, whatever the size of the checkpoint.
    """
    pieces = list(reader.pieces())
    by_shard = pieces_by_shard(reader)
    plans: list[tuple[Path, list[TensorEntry]]] = []
    for shard in shards:
        path = reader.data_file(shard)
        size = path.stat().st_size
        inside = [
            entry
            for entry in by_shard.get(shard, ())
            if entry.dtype in STORED_AS and entry.offset + entry.nbytes <= size
        ]
        plans.append((path, sorted(inside, key=lambda entry: entry.offset)))
    total = sum(entry.nbytes for _, entries in plans for entry in entries)
    checker = _Checker(total, progress)
    for path, entries in plans:
        checker.check_file(path, entries)
    whole = Counter(entry.name for entry in pieces)
    return Checked(
        problems=tuple(checker.problems),
        intact=sum(whole[name] == count for name, count in checker.intact.items()),
        not_finite=tuple(sorted(checker.not_finite)),
    )


def is_finite(content: npt.NDArray[Any], dtype: str) -> bool:
    """Whether all numbers are: none is a NaN, none infinite.

    Args:
        content: numbers of `STORED_AS[dtype]`; the upper halves of float32 as uint16 for bfloat16.
        dtype: TensorFlow's name of it; numbers of any but a floating one are.
    """
    if dtype == "bfloat16":
        return not bool(((content & _EXPONENT) == _EXPONENT).any())
    return dtype not in CHECKED_FOR_FINITE or bool(np.isfinite(content).all())


class _Checker:
    """Takes checksums and keeps the score."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.problems: list[str] = []
        self.intact: Counter[str] = Counter()
        self.not_finite: set[str] = set()
        self._total = total
        self._done = 0
        self._progress = progress
        self._scratch = np.empty(_CHUNK, np.uint8)

    def check_file(self, path: Path, entries: list[TensorEntry]) -> None:
        """Check `entries`, all of which lie in the file `path`, in order of their offsets."""
        entry: TensorEntry | None = None
        try:
            with open_unbuffered(path) as file:
                for entry in entries:
                    file.seek(entry.offset)
                    crc = 0
                    for start in range(0, entry.nbytes, _CHUNK):
                        chunk = self._scratch[: min(_CHUNK, entry.nbytes - start)]
                        read_fully(file, chunk)
                        if not is_finite(chunk.view(STORED_AS[entry.dtype]), entry.dtype):
                            self.not_finite.add(entry.name)
                        crc = crc32c_in_place(chunk, crc)
                        self._add(len(chunk))
                    if crc == entry.crc32c:
                        self.intact[entry.name] += 1
                    else:
                        self.problems.append(f"{path.name} is damaged: {checksum_problem(entry)}.")
        except OSError as error:
            where = f" at offset {entry.offset}, in {entry.name}" if entry else ""
            self.problems.append(f"{path.name} cannot be read{where}: {error}.")

    def _add(self, nbytes: int) -> None:
        self._done += nbytes
        if self._progress is not None:
            self._progress(self._done, self._total)
