"""How much memory and time stages take: what is declared, what earlier runs took, what the machine has left."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from bertbuild.errors import BertbuildError, StageKilledForMemoryError
from bertbuild.files.disk import write_atomically
from bertbuild.json_text import parse_json
from bertbuild.stages import StageSpec

ALIKE = 1.25
"""A run on inputs of a size within this ratio tells what the next one will take."""

MARGIN = 1.2
"""By how much a run may exceed one that was measured."""

REMEMBERED = 50
"""Measurements of one stage that are kept."""


CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")

VERSION_2 = ("memory.max", "memory.current")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
"""What cgroups call the limit of their memory, and how much of it is taken."""


class Measured:
    """Peak memory and seconds of earlier runs, by stage and size of their inputs; kept in one JSON file.

    What has no peak memory (making an environment, a phase of a stage) has 0 there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = False
        self._peaks: dict[str, list[list[float]]] = {}
        with contextlib.suppress(OSError, ValueError):  # without it the declared figures serve
            value = parse_json(path.read_text(encoding="utf-8"))
            if isinstance(value, dict):
                self._peaks = value

    def expected(self, spec: StageSpec, input_bytes: int) -> int:
        """Bytes that a run on inputs of so many bytes is expected to take at its peak."""
        alike = [
            peak
            for size, peak, *_ in self._peaks.get(spec.name, ())
            if peak and max(size, input_bytes) <= ALIKE * min(size, input_bytes)
        ]
        return int(MARGIN * max(alike)) if alike else spec.memory.of(input_bytes)

    def seconds(self, stage: str, input_bytes: int | None = None) -> float | None:
        """How long the last run took, on inputs of that size where one is given; None where there was none."""
        found = [
            figures[2]
            for figures in self._peaks.get(stage, ())
            if len(figures) > 2
            and (input_bytes is None or max(figures[0], input_bytes) <= ALIKE * min(figures[0], input_bytes))
        ]
        return found[-1] if found else None

    def remember(self, stage: str, input_bytes: int, peak: int, seconds: float = 0.0) -> None:
        """Note what a run took."""
        figures = [input_bytes, peak, round(seconds, 3)]
        peaks = self._peaks.setdefault(stage, [])
        if figures not in peaks:
            self._peaks[stage] = [*peaks, figures][-REMEMBERED:]
            self._changed = True

    def save(self) -> None:
        """Write what was learnt; what cannot be written is lost, which costs a guess."""
        if self._changed:
            with contextlib.suppress(OSError, BertbuildError):
                write_atomically(self._path, json.dumps(self._peaks) + "\n")
                self._changed = False


class Phases:
    """What a stage does, one thing after the other: how long each took is kept, and told when it begins again.

    A phase is known by its words, those with figures in them (steps, files) by the words without.
    """

    def __init__(self, measured: Measured, stage: str, input_bytes: int) -> None:
        self._measured, self._stage, self._input_bytes = measured, stage, input_bytes
        self._phase = ""
        self._began = 0.0

    def expects(self, event: Mapping[str, Any]) -> dict[str, float]:
        """What to add to an event of the stage."""
        if event["event"] != "step":
            return {}
        now = time.monotonic()
        phase = f"{self._stage}: {re.sub('[0-9.,]+', '#', str(event.get('text', '')))}"
        if phase == self._phase:
            return {}
        self.end()
        self._phase, self._began = phase, now
        seconds = self._measured.seconds(phase, self._input_bytes)
        return {} if seconds is None else {"expects": seconds}

    def end(self) -> None:
        """The phase ended well."""
        if self._phase:
            self._measured.remember(self._phase, self._input_bytes, 0, time.monotonic() - self._began)


def available_memory() -> int:
    """Bytes that can be taken now without anything being swapped out: of the machine, and of this process's cgroups."""
    free = [2**63, _told("MemAvailable")]
    for folder, (limit, used) in _cgroups():
        with contextlib.suppress(OSError, ValueError):  # ValueError: "max"
            allowed = int((folder / limit).read_text(encoding="ascii"))
            free.append(allowed - int((folder / used).read_text(encoding="ascii")) + _given_up(folder))
    return max(0, min(free))


def whole_memory() -> int:
    """Bytes that there are in all, with what can be swapped out: of the machine, or of what this process may have.

    A limit of address space (`ulimit -v`) counts: files that are mapped take of it too.
    """
    limits = [_told("MemTotal") + _told("SwapTotal", 0)]
    for folder, (limit, _) in _cgroups():
        with contextlib.suppress(OSError, ValueError):
            limits.append(int((folder / limit).read_text(encoding="ascii")))
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        limits.append(address_space)
    return min(limits)


def _cgroups(root: Path = CGROUPS, own: Path = OWN_CGROUPS) -> Iterator[tuple[Path, tuple[str, str]]]:
    """The folders of this process's cgroups and of those that they lie in, with the names of limit and use there.

    In a container the paths of /proc may be the host's, and its own cgroup is what is mounted.
    """
    lines = []
    with contextlib.suppress(OSError):
        lines = own.read_text(encoding="utf-8").splitlines()
    for names, controller, mounts in ((VERSION_2, "", ("", "unified")), (VERSION_1, "memory", ("memory",))):
        paths = [
            path
            for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") > 1)
            if controller in controllers.split(",")
        ]
        for mount in mounts:
            folders = {root / mount}
            for path in paths:
                below = PurePosixPath(path.lstrip("/"))
                folders.update(root / mount / part for part in (below, *below.parents) if ".." not in part.parts)
            yield from ((folder, names) for folder in sorted(folders))


def _given_up(folder: Path) -> int:
    """Bytes of a cgroup's use that the kernel gives up when memory is asked for: of files read a while ago."""
    with contextlib.suppress(OSError, ValueError):
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        figures = dict(line.split(" ", 1) for line in lines)
        return int(figures.get("total_inactive_file") or figures.get("inactive_file") or 0)
    return 0


def require_room(stage: str, checkpoint_bytes: int) -> None:
    """Refuse a checkpoint that no memory of this machine could hold, before a stage begins with it.

    Raises:
        StageKilledForMemoryError: the figure of both.
    """
    there = whole_memory()
    if checkpoint_bytes > there:
        raise StageKilledForMemoryError(
            f"The checkpoint has {checkpoint_bytes / 10**9:.2f} GB, and there are {there / 10**9:.2f} GB of memory "
            f"here; {stage} was not begun.",
            next_step="Use a machine with more memory. A checkpoint of a training also holds what the optimizer keeps, "
            "which is twice the model: save the model alone.",
        )


def _told(name: str, otherwise: int = 2**63) -> int:
    """Bytes by a line of /proc/meminfo."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])
    return otherwise


class MemoryBudget:
    """The bytes that jobs may take together; what is not said is what the machine has free at the start."""

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit or available_memory()

    def fits(self, needed: int, taken: int) -> bool:
        """Whether a job may start beside others that are expected to take so much."""
        return needed + taken <= self.limit and needed <= available_memory()
