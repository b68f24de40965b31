"""Emits job lifecycle events."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bertbuild import __version__
from bertbuild.engine.executor import Report
from bertbuild.engine.gate import NO_DEVICE, PARITY
from bertbuild.engine.jobs import AgainJob, EnvironmentJob, GateJob, StageJob
from bertbuild.engine.memory import Measured
from bertbuild.engine.order import object_bytes
from bertbuild.engine.schedule import Job
from bertbuild.errors import BertbuildError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is about, for people to know: models, and the build file where one says which targets they have."""

    models: Sequence[str]
    build_file: str | None = None


def new_run() -> str:
    """The id of a run; ids sort by time."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"


def run_event(run: str, isolation: str, asked: Asked, slots: int, memory: int) -> dict[str, Any]:
    """The first event of a run: what was asked for, of what machine."""
    machine = os.uname()  # what `platform` tells too, which takes longer to load
    return {
        "event": "run",
        "run": run,
        "command": sys.argv[1:],
        "version": __version__,
        "isolation": isolation,
        "jobs": slots,
        "memory": memory,
        "models": list(asked.models),
        "build_file": asked.build_file,
        "host": {
            "machine": machine.machine,
            "cpus": os.cpu_count() or 1,
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "python": sys.version.split()[0],
            "system": f"{machine.sysname} {machine.release}",
        },
    }


class Teller:
    """A listener of the scheduler: passes on the graph of jobs, what is skipped, and how each target ended."""

    def __init__(self, report: Report, measured: Measured | None = None, *, tell_failures: bool = False) -> None:
        """`measured`: what earlier runs took; `tell_failures`: with all words, at once, because the run goes on."""
        self._report = report
        self._measured = measured
        self._tell_failures = tell_failures

    def added(self, jobs: list[Job]) -> None:
        """See `schedule.Listener`."""
        targets: dict[str, list[str]] = {}
        for job in jobs:
            if isinstance(job, GateJob):
                for made in (job, *job.made_by):
                    targets.setdefault(made.id, []).append(f"{job.model}/{job.target.name}")
        rows = [
            {**_facts(job), "needs": list(job.needs), "targets": targets.get(job.id, []), **self._expects(job)}
            for job in jobs
        ]
        self._report({"event": "graph", "jobs": rows})

    def _expects(self, job: Job) -> dict[str, float]:
        """How long such a step took before, where the record tells."""
        known = self._measured.seconds(job.step.stage) if self._measured and isinstance(job, StageJob) else None
        return {} if known is None else {"expects": known}

    def started(self, job: Job) -> None:
        """See `schedule.Listener`."""
        self._model(job, "started")

    def done(self, job: Job) -> None:
        """See `schedule.Listener`."""
        self._model(job, "done")
        if isinstance(job, AgainJob) and job.comparison is not None:
            event = {"event": "reproduced", "job": job.id, "model": job.model}
            self._report({**event, "lines": job.comparison.lines(), **job.comparison.as_json()})
        if isinstance(job, GateJob) and job.built is not None:
            reason = {"message": NO_DEVICE} if job.built.verdict is None else {}
            self._target(job, job.state, path=str(job.built.path), **reason)

    def failed(self, job: Job, error: BertbuildError) -> None:
        """See `schedule.Listener`."""
        self._model(job, "failed")
        if self._tell_failures:
            told = {"error": type(error).__name__, "exit_code": error.exit_code, "message": str(error)}
            more = {"next_step": error.next_step, "details": error.details}
            self._report({"event": "failure", "job": job.id, **told, **more})
        if isinstance(job, GateJob):
            self._target(job, "failed", message=str(error))
        self._break_promises(job, job)

    def skipped(self, job: Job, because: Job) -> None:
        """See `schedule.Listener`."""
        if isinstance(job, GateJob):
            self._target(job, "skipped", because=because.id)
        elif isinstance(job, StageJob):
            event = {"event": "stage", "stage": job.step.stage, "id": job.step.id, "job": job.id, "model": job.model}
            self._report({**event, "state": "skipped", "because": because.id})
        self._break_promises(job, because)

    def _model(self, job: Job, state: str) -> None:
        """What finds, inspects or plans to train a model; it has no other events of its own."""
        facts = _facts(job)
        if facts["kind"] == "model":
            self._report({"event": "model", "job": job.id, "model": facts["model"], "state": state})

    def _break_promises(self, job: Job, because: Job) -> None:
        for model, target in job.promised:
            state = "failed" if job.id == f"{model}/{target}" else "skipped"
            event = {"event": "target", "model": model, "target": target, "state": state, "because": because.id}
            self._report(event)

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
        event["seconds"] = round(sum(made.seconds for made in job.made_by), 3)
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
        case AgainJob():
            return {"job": job.id, "kind": "again", "model": job.model, "stage": job.step.stage}
        case EnvironmentJob():
            return {"job": job.id, "kind": "environment", "backend": job.backend}
        case _:
            return {"job": job.id, "kind": "model", "model": job.id.split()[0]}
