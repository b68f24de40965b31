"""What the benchmarks share: the machine in one line, processes measured, runs interleaved, a table, targets judged."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024**2


@dataclass(frozen=True)
class Measured:
    """A process that ran: its wall and processor time, its peak memory, each line of its stdout and when it came."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    lines: list[tuple[float, str]] = field(repr=False)


def measure(command: Sequence[object], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Measured:
    """Run a command to its end; ends this program with the command's output if it fails.

    Bytecode is kept as for people, also where this program was told to keep none (PYTHONDONTWRITEBYTECODE).
    Linux lets a child's peak memory begin with its parent's, so a benchmark that quotes it must stay small itself.
    """
    words = [str(word) for word in command]
    env = {name: value for name, value in (env or os.environ).items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(
        words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines = [(time.perf_counter() - started, line.rstrip("\n")) for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode:
        sys.exit(f"exit code {process.returncode} of {' '.join(words)}\n" + "\n".join(line for _, line in lines[-30:]))
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, lines)


def checked_out(commit: str, folder: Path) -> Path:
    """The files of a commit of this repository in a new folder; gives the folder."""
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    return folder


def build_context(folder: Path) -> Path:
    """What images are built of, as it is in the working tree, in a new folder; gives the folder."""
    for name in ("bertbuild", "docker"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.whl"))
    for name in ("compose.yaml", ".dockerignore"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def interleaved(runs: int, *sides: Callable[[], None]) -> None:
    """Call the sides in turn, `runs` times each: A B, B A, A B, … so that neither always goes first."""
    for turn in range(runs):
        for side in sides if turn % 2 == 0 else sides[::-1]:
            side()


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def paired_ratio(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """The median over the pairs of one turn; what slows the machine for a while slows both sides of a pair."""
    return median([left / right for left, right in zip(ours, baseline, strict=True)])


@dataclass(frozen=True)
class Pair:
    """Medians of runs of this code and of the code before, and the medians of the pairs' ratios."""

    seconds: float
    seconds_before: float
    work: float
    work_before: float
    ratio: float
    work_ratio: float


def pair_of(now: Sequence[Measured], before: Sequence[Measured]) -> Pair:
    """Runs in pairs: wall time, and the processor time at work, which other work on the machine changes less."""
    seconds, seconds_before = ([run.seconds for run in runs] for runs in (now, before))
    work, work_before = ([run.cpu_seconds for run in runs] for runs in (now, before))
    medians = map(median, (seconds, seconds_before, work, work_before))
    return Pair(*medians, paired_ratio(seconds, seconds_before), paired_ratio(work, work_before))


def machine() -> str:
    """Date, processor, cores, memory: the line that figures mean nothing without."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    today = dt.datetime.now(dt.timezone.utc).date()
    return f"{today}, {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB of memory"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def told(row: Sequence[object]) -> Sequence[object]:
    """A row of a table, shown on stderr at once: what was measured is there where a run does not come to its end."""
    print("| " + " | ".join(str(cell) for cell in row) + " |", file=sys.stderr, flush=True)
    return row


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join("---" for _ in columns) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


class Targets:
    """Figures with an upper limit; `finish` says which are missed and ends the program with 1 if any is."""

    def __init__(self) -> None:
        self._missed: list[str] = []

    def at_most(self, what: str, value: float, limit: float, digits: int = 2) -> str:
        """Judge one figure; returns "≤ limit: met" or "≤ limit: missed" for the table."""
        met = value <= limit
        if not met:
            self._missed.append(f"{what} is {value:.{digits}f}, target ≤ {limit:.{digits}f}")
        return f"≤ {limit:.{digits}f}: {'met' if met else '**missed**'}"

    def finish(self) -> None:
        """End the program."""
        for line in self._missed:
            print(f"\nmissed: {line}", file=sys.stderr)
        sys.exit(1 if self._missed else 0)


class Asked:
    """A program that keeps a model and answers requests: a line of JSON each way; what loads the model comes first."""

    def __init__(self, command: Sequence[object], request: Mapping[str, Any]) -> None:
        env = {**os.environ, "CI": "true"}  # without it OpenVINO sends usage data
        words = [str(word) for word in command]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.times: list[float] = []
        self.answers = self._ask(request)["answers"]

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def __call__(self) -> None:
        """Infer once."""
        self.times.append(self._ask({})["milliseconds"])

    def end(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
