"""Who waited for whom: when each job could begin, what it waited for then, the chain that bounds the run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter

from bertbuild.report.html.run import Job, Run, number

WAIT = 0.1
"""Seconds from ready to begun that are not waiting time, but the engine's own work."""
SLACK = 0.02
"""Seconds by which two jobs of one slot may seem to overlap: their events are written one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """How a job came to run; times are seconds since the run began.

    Attributes:
        number: its place in the order of beginning, from 1.
        ready: when its last need ended, or when it became known.
        last_need: the id of that need; empty where it waited for none.
        waited: seconds from ready to begun.
        reason: what it waited for: "slot", "memory", or empty where it did not wait or nothing tells.
        freed_by: the id of the job whose end let it begin; empty where it did not wait.
        lane: the running slot, from 0; those of the building machine before those of workers, by their names.
        slot: what it is called: "slot 1", or "slot 1 of w1".
        critical: whether it is of the chain that bounds the run.
    """

    job: Job
    number: int
    ready: float
    last_need: str
    waited: float
    reason: str
    freed_by: str
    lane: int
    slot: str
    critical: bool


def passages(run: Run) -> list[Passage]:
    """One for each job that ran, in the order of beginning."""
    ran = sorted((job for job in run.jobs.values() if job.ran), key=lambda job: (job.began, job.ended))
    lanes = _lanes_by_worker(ran, number(run.head.get("jobs")))
    chain = {job.id for job in critical_path(run)}
    found = []
    for order, job in enumerate(ran, start=1):
        begun = job.began or 0.0
        ready, last_need = _ready(run, job)
        ready = min(ready, begun)
        waited = begun - ready
        reason, freed_by = _why(run, ran, job, ready) if waited > WAIT else ("", "")
        found.append(
            Passage(
                job=job,
                number=order,
                ready=ready,
                last_need=last_need,
                waited=waited,
                reason=reason,
                freed_by=freed_by,
                lane=lanes[job.id][0],
                slot=lanes[job.id][1],
                critical=job.id in chain,
            )
        )
    return found


def critical_path(run: Run) -> list[Job]:
    """The chain of jobs, each needing the one before, that ran longest: no number of slots saves its seconds."""
    order = TopologicalSorter({job.id: job.needs for job in run.jobs.values()}).static_order()
    total: dict[str, float] = {}
    before: dict[str, str] = {}
    for job_id in order:
        job = run.jobs.get(job_id)
        if job is None:
            continue
        needs = [need for need in job.needs if need in total]
        longest = max(needs, key=lambda need: total[need], default="")
        total[job_id] = total.get(longest, 0.0) + (job.seconds if job.ran else 0.0)
        before[job_id] = longest
    chain: list[Job] = []
    at = max(total, key=lambda job_id: total[job_id], default="")
    while at:
        chain.append(run.jobs[at])
        at = before[at]
    return [job for job in reversed(chain) if job.ran]


def _ready(run: Run, job: Job) -> tuple[float, str]:
    ends = [(need.ended, need.id) for need in _jobs(run, job.needs) if need.ended is not None]
    ended, need = max(ends, default=(0.0, ""))
    return (ended, need) if need and ended >= job.announced else (job.announced, "")


def _why(run: Run, ran: list[Job], job: Job, ready: float) -> tuple[str, str]:
    """What a job waited for, and who let it begin: the job that ended last before it did."""
    begun = job.began or 0.0
    ended = [other for other in ran if other is not job and ready < (other.ended or 0.0) <= begun + SLACK]
    if not ended:
        return "", ""
    last = max(ended, key=lambda other: other.ended or 0.0)
    instant = last.ended or 0.0
    running = [other for other in ran if (other.began or 0.0) < instant <= (other.ended or 0.0) and other is not job]
    slots, budget = number(run.head.get("jobs")), number(run.head.get("memory"))
    if slots is not None and len(running) >= slots:
        return "slot", last.id
    held = sum(other.memory or 0.0 for other in running)
    if budget is not None and job.memory is not None and held + job.memory > budget:
        return "memory", last.id
    return "", last.id


def _lanes_by_worker(ran: list[Job], slots: float | None) -> dict[str, tuple[int, str]]:
    """The lane of each job and its name: the slots of the building machine, then those of each worker."""
    found: dict[str, tuple[int, str]] = {}
    before = 0
    for worker in sorted({job.worker for job in ran}):
        own = _lanes([job for job in ran if job.worker == worker], None if worker else slots)
        of = f" of {worker}" if worker else ""
        found |= {job_id: (before + lane, f"slot {lane + 1}{of}") for job_id, lane in own.items()}
        before += 1 + max(own.values())
    return found


def _lanes(ran: list[Job], slots: float | None) -> dict[str, int]:
    """The lowest free slot for each job, in the order of beginning.

    Where the log's times make it look as if one more job ran than the run had slots, the slot that is free first.
    """
    free_from: list[float] = []
    lanes = {}
    for job in ran:
        begun = job.began or 0.0
        lane = next((lane for lane, free in enumerate(free_from) if free <= begun + SLACK), len(free_from))
        if free_from and slots is not None and lane >= slots:
            lane = free_from.index(min(free_from))
        if lane == len(free_from):
            free_from.append(0.0)
        free_from[lane] = job.ended or begun
        lanes[job.id] = lane
    return lanes


def _jobs(run: Run, ids: Iterable[str]) -> list[Job]:
    return [run.jobs[job_id] for job_id in ids if job_id in run.jobs]
