"""How much memory stages take: what is declared, what earlier runs took, and what the machine has left."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from bertbuild.errors import BertbuildError
from bertbuild.files.disk import write_atomically
from bertbuild.json_text import parse_json
from bertbuild.stages import StageSpec

ALIKE = 1.25
"""A run on inputs of a size within this ratio tells what the next one will take."""

MARGIN = 1.2
"""By how much a run may exceed one that was measured."""

REMEMBERED = 50
"""Measurements of one stage that are kept."""


class Measured:
    """The peak memory of earlier runs, by stage and size of their inputs; kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        self._peaks: dict[str, list[list[int]]] = {}
        with contextlib.suppress(OSError, ValueError):  # without it the declared figures serve
            value = parse_json(path.read_text(encoding="utf-8"))
            if isinstance(value, dict):
                self._peaks = value

    def expected(self, spec: StageSpec, input_bytes: int) -> int:
        """Bytes that a run on inputs of so many bytes is expected to take at its peak."""
        alike = [
            peak
            for size, peak in self._peaks.get(spec.name, ())
            if max(size, input_bytes) <= ALIKE * min(size, input_bytes)
        ]
        return int(MARGIN * max(alike)) if alike else spec.memory.of(input_bytes)

    def remember(self, stage: str, input_bytes: int, peak: int) -> None:
        """Note what a run took."""
        peaks = self._peaks.setdefault(stage, [])
        if [input_bytes, peak] not in peaks:
            self._peaks[stage] = [*peaks, [input_bytes, peak]][-REMEMBERED:]
            self._changed = True

    def save(self) -> None:
        """Write what was learnt; what cannot be written is lost, which costs a guess."""
        if self._changed:
            with contextlib.suppress(OSError, BertbuildError):
                write_atomically(self._path, json.dumps(self._peaks) + "\n")
                self._changed = False


def available_memory() -> int:
    """Bytes that can be taken now without anything being swapped out: of the machine, and of this process's cgroup."""
    free = [2**63]
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]))
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError, ValueError):  # ValueError: "max"
            free.append(int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii")))
    return max(0, min(free))


class MemoryBudget:
    """The bytes that jobs may take together; what is not said is what the machine has free at the start."""

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit or available_memory()

    def fits(self, needed: int, taken: int) -> bool:
        """Whether a job may start beside others that are expected to take so much."""
        return needed + taken <= self.limit and needed <= available_memory()
