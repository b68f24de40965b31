"""What becomes of jobs, told as events."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import Any

from bertbuild import __version__
from bertbuild.errors import BertbuildError
from bertbuild.jobs import EnvironmentJob, GateJob, StageJob
from bertbuild.judging import NO_DEVICE, PARITY
from bertbuild.making import Report, object_bytes
from bertbuild.schedule import Job


def run_event(isolation: str, models: list[str], slots: int, memory: int) -> dict[str, Any]:
    """The first event of a run: what was asked for, of what machine."""
    return {
        "event": "run",
        "run": f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}",
        "command": sys.argv[1:],
        "version": __version__,
        "isolation": isolation,
        "jobs": slots,
        "memory": memory,
        "models": models,
        "host": {
            "machine": platform.machine(),
            "cpus": os.cpu_count() or 1,
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()}",
        },
    }


class Teller:
    """A listener of the scheduler: passes on the graph of jobs, what is skipped, and how each target ended."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def added(self, jobs: list[Job]) -> None:
        """See `schedule.Listener`."""
        targets: dict[str, list[str]] = {}
        for job in jobs:
            if isinstance(job, GateJob):
                for made in (job, *job.made_by):
                    targets.setdefault(made.id, []).append(f"{job.model}/{job.target.name}")
        rows = [{**_facts(job), "needs": list(job.needs), "targets": targets.get(job.id, [])} for job in jobs]
        self._report({"event": "graph", "jobs": rows})

    def done(self, job: Job) -> None:
        """See `schedule.Listener`."""
        if isinstance(job, GateJob) and job.built is not None:
            ran = any(made.ran for made in job.made_by)
            state = "not verified" if job.built.verdict is None else "built" if ran else "up to date"
            reason = {"message": NO_DEVICE} if job.built.verdict is None else {}
            self._target(job, state, path=str(job.built.path), **reason)

    def failed(self, job: Job, error: BertbuildError) -> None:
        """See `schedule.Listener`."""
        if isinstance(job, GateJob):
            self._target(job, "failed", message=str(error))

    def skipped(self, job: Job, because: Job) -> None:
        """See `schedule.Listener`."""
        if isinstance(job, GateJob):
            self._target(job, "skipped", because=because.id)
        elif isinstance(job, StageJob):
            event = {"event": "stage", "stage": job.step.stage, "id": job.step.id, "job": job.id, "model": job.model}
            self._report({**event, "state": "skipped", "because": because.id})

    def _target(self, job: GateJob, state: str, **more: Any) -> None:
        event: dict[str, Any] = {
            "event": "target",
            "model": job.model,
            "target": job.target.name,
            "job": job.id,
            "state": state,
        }
        stored = job.results.get(job.target.step)
        if stored is not None:
            event |= {"key": stored.key, "bytes": object_bytes(stored)}
        if job.built is not None and job.built.verdict is not None:
            worst = job.built.verdict.worst
            event |= {"max_abs": worst.as_json()["max_abs"], "allowed": worst.limit}
        self._report({**event, **more})


def _facts(job: Job) -> dict[str, Any]:
    """What a row of the graph says of a job besides what it needs."""
    match job:
        case StageJob():
            step = {"stage": job.step.stage, "id": job.step.id}
            return {"job": job.id, "kind": "stage", "model": job.model, "backend": job.backend, **step}
        case GateJob():
            return {"job": job.id, "kind": "gate", "model": job.model, "stage": PARITY}
        case EnvironmentJob():
            return {"job": job.id, "kind": "environment", "backend": job.backend}
        case _:
            return {"job": job.id, "kind": "model", "model": job.id.split()[0]}
