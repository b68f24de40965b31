"""On paper: 10,000 models of base size with 8 targets each on 50 workers. What is busy, and what breaks first.

    python bench/scale_simulation.py [--models 10000] [--workers 50]

Prints the tables of docs/scale.md. It builds nothing: each job of the plan is an event in a queue of simulated slots,
disks and network links, with the seconds and bytes of `MEASURED`, each of which says where it was measured. Links and
the registry serve one transfer after the other at their full rate, which is as long in all as sharing them.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from common import print_table

MB = 1e6


@dataclass(frozen=True)
class Figure:
    """A number that the simulation begins with: its value, unit, and source."""

    value: float
    unit: str
    source: str


MEASURED = {
    "plan": Figure(
        0.79 / 720, "s of one core for a job that is planned and looked at", "results.md, 720 jobs in 0.79 s"
    ),
    "lookup": Figure(0.83 / 720, "s of one core for a key that is looked up", "results.md, 720 keys in 0.70 to 0.95 s"),
    "order": Figure(0.014, "s of one core of the client for an order and its answer", "bench/cluster.py, 13 and 14 ms"),
    "push": Figure(440 / 7.66, "MB/s of one worker that pushes", "results.md, 440 MB in 7.66 s"),
    "pull": Figure(440 / 3.83, "MB/s of one worker that pulls and checks", "results.md, 440 MB in 3.83 s"),
    "memory": Figure(
        (82 - 41) / (90 * 19), "MB of the client for a job", "bench/fleet_store.py, 41 MB with 30 models, 82 with 120"
    ),
    "schedule": Figure(23.3 / 270_000, "s of one core for a job's turn", "bench/scale_client.py, 270,000 jobs"),
}


@dataclass(frozen=True)
class Stage:
    """A job of a model: what it needs, how long it runs on a quiet machine, how much it leaves, the source of both."""

    name: str
    needs: str
    seconds: float
    megabytes: float
    source: str


INFER = "results.md, a proof of base size is 6.7 s"
STAGES = (
    Stage("freeze", "checkpoint", 1.6, 440, "results.md, the writers"),
    Stage("reference", "checkpoint", 6.7, 0.1, INFER),
    Stage("frozen-infer", "freeze", 6.7, 0.1, INFER),
    Stage("ir-fp32", "checkpoint", 1.1, 440, "results.md, ir-direct"),
    Stage("ir-fp32-infer", "ir-fp32", 2.5, 0.1, "results.md, openvino-infer of the fp32 IR"),
    Stage("ir-fp16", "checkpoint", 1.1, 220, "as ir-fp32, half of the bytes"),
    Stage("ir-fp16-infer", "ir-fp16", 2.5, 0.1, "as ir-fp32"),
    Stage("onnx", "checkpoint", 0.9, 440, "results.md, onnx-direct"),
    Stage("onnx-infer", "onnx", 2.5, 0.1, "as ir-fp32"),
    Stage("export", "checkpoint", 5.8, 440, "results.md, exported"),
    Stage("export-infer", "export", 6.7, 0.1, INFER),
    Stage("neuron-ready", "checkpoint", 6.7, 440, "results.md, neuron-ready"),
    Stage("neuron-ready-infer", "neuron-ready", 6.7, 0.1, INFER),
    Stage("convert-tf2", "checkpoint", 0.8, 440, "results.md, convert-tf2"),
    Stage("tf2-infer", "convert-tf2", 15.0, 0.1, "results.md, the command with its proof is about a minute"),
    Stage("savedmodel", "convert-tf2", 15.0, 440, "as tf2-infer"),
    Stage("savedmodel-infer", "savedmodel", 15.0, 0.1, "as tf2-infer"),
)
"""Eight targets: frozen, ir-fp32, ir-fp16, onnx, export, neuron-ready, tf2, savedmodel. Each has a gate too."""
TARGETS = 8
GATES_AND_LOOKS = TARGETS + 2
"""Jobs of a model that are done by the client: its gates, finding it and inspecting it."""
CHECKPOINT = 440.0
SIZES = {"checkpoint": CHECKPOINT} | {stage.name: stage.megabytes for stage in STAGES}


@dataclass
class Link:
    """Something that serves one after the other at a rate, in the order in which it is asked."""

    rate: float
    free: float = 0.0
    busy: float = 0.0

    def serve(self, now: float, amount: float) -> float:
        """When it has served this amount, which is asked for now."""
        took = amount / self.rate
        self.free = max(self.free, now) + took
        self.busy += took
        return self.free


@dataclass(frozen=True)
class Outcome:
    """What a simulated build took: hours, shares of that time, terabytes into the registry and out of it."""

    hours: float
    slots: float
    registry: float
    client: float
    core: float
    up: float
    down: float


Job = tuple[int, int]
"""The number of a model, and that of a stage in `STAGES`."""


class Build:
    """A simulated build from nothing.

    Args:
        models: how many.
        workers: how many machines.
        gigabits: a second, of the registry's link; a client's is at most 10.
        prefers: whether a stage waits for a worker that holds its input.
        sends: whether the checkpoints lie with the client, and not in the remote store.
    """

    SLOTS = 2
    IN_FLIGHT = 512
    """Orders at once (`cluster/client.py`)."""
    PATIENCE = 4
    """Orders that wait for one worker; another takes those that are more."""

    def __init__(self, models: int, workers: int, gigabits: float, *, prefers: bool, sends: bool) -> None:
        self._models, self._prefers, self._sends = models, prefers, sends
        rate = gigabits * 1e9 / 8 / MB
        self._registry, self._core = Link(rate), Link(1.0)
        self._client = Link(min(rate, 1250.0, MEASURED["push"].value))
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = itertools.count()
        self._ready: list[Job] = []
        self._flying = 0
        self._waiting: list[deque[Job]] = [deque() for _ in range(workers)]
        self._anywhere: deque[Job] = deque()
        self._free = [self.SLOTS] * workers
        self._idle = dict.fromkeys(range(workers))
        self._holder: dict[tuple[int, str], int] = {}
        self._holds: list[set[tuple[int, str]]] = [set() for _ in range(workers)]
        self._at_work = self._up = self._down = 0.0

    def run(self) -> Outcome:
        """Simulate it."""
        steps = self._models * len(STAGES)
        jobs = steps + self._models * GATES_AND_LOOKS
        begin = self._core.serve(0.0, jobs * MEASURED["plan"].value + steps * MEASURED["lookup"].value)
        roots = [number for number, stage in enumerate(STAGES) if stage.needs == "checkpoint"]
        self._ready = [(model, number) for model in range(self._models) for number in roots]  # sorted: a heap
        self._at(begin, self._submit)
        end = begin
        while self._events:
            end, _, happens = heapq.heappop(self._events)
            happens(end)
        slots = len(self._free) * self.SLOTS
        return Outcome(
            hours=end / 3600,
            slots=self._at_work / (end * slots),
            registry=self._registry.busy / end,
            client=self._client.busy / end,
            core=self._core.busy / end,
            up=self._up / MB,
            down=self._down / MB,
        )

    def _at(self, when: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (when, next(self._count), what))

    def _submit(self, now: float) -> None:
        while self._ready and self._flying < self.IN_FLIGHT:
            job = heapq.heappop(self._ready)
            self._flying += 1
            when = self._core.serve(now, MEASURED["order"].value)
            given = job[0], "checkpoint"
            if self._sends and STAGES[job[1]].needs == "checkpoint" and given not in self._holder:
                self._holder[given] = -1
                when = self._registry.serve(max(when, self._client.serve(now, CHECKPOINT)), CHECKPOINT)
                self._up += CHECKPOINT
            self._at(when, partial(self._place, job))

    def _place(self, job: Job, now: float) -> None:
        holder = self._holder.get((job[0], STAGES[job[1]].needs), -1) if self._prefers else -1
        if holder >= 0 and len(self._waiting[holder]) < self.PATIENCE:
            self._waiting[holder].append(job)
            self._take(holder, now)
        else:
            self._anywhere.append(job)
            for worker in list(self._idle)[:1]:
                self._take(worker, now)

    def _take(self, worker: int, now: float) -> None:
        while self._free[worker]:
            queue = self._waiting[worker] or self._anywhere
            if not queue:
                return
            job = queue.popleft()
            self._free[worker] -= 1
            if not self._free[worker]:
                self._idle.pop(worker)
            self._begin(job, worker, now)

    def _begin(self, job: Job, worker: int, now: float) -> None:
        needed = job[0], STAGES[job[1]].needs
        ready = now
        if needed not in self._holds[worker]:
            self._holds[worker].add(needed)
            size = SIZES[needed[1]]
            self._down += size
            ready = max(self._registry.serve(now, size), now + size / MEASURED["pull"].value)
        if self._holder.get(needed, -1) < 0:
            self._holder[needed] = worker
        self._at_work += STAGES[job[1]].seconds
        self._at(ready + STAGES[job[1]].seconds, partial(self._push, job, worker))

    def _push(self, job: Job, worker: int, now: float) -> None:
        size = STAGES[job[1]].megabytes
        self._up += size
        self._at(
            max(self._registry.serve(now, size), now + size / MEASURED["push"].value), partial(self._end, job, worker)
        )

    def _end(self, job: Job, worker: int, now: float) -> None:
        name = STAGES[job[1]].name
        self._holder[job[0], name] = worker
        self._holds[worker].add((job[0], name))
        for number, stage in enumerate(STAGES):
            if stage.needs == name:
                heapq.heappush(self._ready, (job[0], number))
        self._flying -= 1
        self._free[worker] += 1
        self._idle[worker] = None
        self._submit(now)
        self._take(worker, now)


def rows(models: int, workers: int) -> Iterator[list[str]]:
    """The build from nothing, under several links."""
    for gigabits, prefers, sends in (
        (1, True, True),
        (10, False, True),
        (10, True, True),
        (10, True, False),
        (100, True, False),
    ):
        told = Build(models, workers, gigabits, prefers=prefers, sends=sends).run()
        shares = {
            "the registry's link": told.registry,
            "the slots": told.slots,
            "the client's link": told.client,
            "the client's core": told.core,
        }
        yield [
            f"{gigabits} Gbit/s",
            "yes" if prefers else "no",
            "the client" if sends else "the remote store",
            f"{told.hours:.1f}",
            f"{told.up:.1f}",
            f"{told.down:.1f}",
            *(f"{100 * share:.0f} %" for share in shares.values()),
            max(shares, key=shares.__getitem__),
        ]


def fixed(models: int) -> list[list[str]]:
    """What follows from the count alone."""
    steps, jobs = models * len(STAGES), models * (len(STAGES) + GATES_AND_LOOKS)
    seconds = sum(stage.seconds for stage in STAGES)
    plan, look, order, turn = (MEASURED[name].value for name in ("plan", "lookup", "order", "schedule"))
    return [
        ["jobs", f"{jobs:,}", f"{len(STAGES)} stages, {TARGETS} gates, 2 looks a model"],
        ["planning, and looking at what is here", f"{jobs * plan:.0f} s", MEASURED["plan"].source],
        ["lookups in the remote store", f"{steps * look:.0f} s", MEASURED["lookup"].source],
        ["orders and answers", f"{steps * order / 3600:.1f} h", MEASURED["order"].source],
        ["turns in the scheduler of the build", f"{jobs * turn:.0f} s", MEASURED["schedule"].source],
        ["memory of the client", f"{jobs * MEASURED['memory'].value / 1000:.1f} GB", MEASURED["memory"].source],
        ["stages, one after the other", f"{models * seconds / 3600:.0f} h", f"{seconds:.0f} s a model"],
        ["bytes of all results", f"{models * sum(stage.megabytes for stage in STAGES) / MB:.1f} TB", "below"],
    ]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=50)
    args = parser.parse_args()
    print(f"{args.models:,} models of base size, {TARGETS} targets each, {args.workers} workers with 2 slots\n")
    print_table(["", "in all", "of"], fixed(args.models))
    print()
    columns = ["registry's link", "prefers inputs", "checkpoints are with", "hours", "TB up", "TB down"]
    columns += ["its link busy", "slots at work", "client's link", "client's core", "busiest"]
    print_table(columns, list(rows(args.models, args.workers)))
    print()
    print_table(["stage", "s", "MB", "of"], [[one.name, one.seconds, one.megabytes, one.source] for one in STAGES])


if __name__ == "__main__":
    main()
