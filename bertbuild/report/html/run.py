"""What happened in a run, made of its log's events. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from bertbuild.errors import StoreError
from bertbuild.report.html.log import Log
from bertbuild.report.html.words import log_lines

DONE, CACHED, FAILED, SKIPPED = "done", "cached", "failed", "skipped"
INTERRUPTED, UNFINISHED, NOT_BEGUN = "interrupted", "unfinished", "not begun"
NOT_FINISHED = "not finished"
"""State of a target that the log says nothing of at its end."""
NOT_VERIFIED = "not verified"
TAIL = 40
"""Lines kept of what an environment's maker said."""

TargetId = tuple[str, str]
"""A target's model and its name."""


@dataclass(slots=True, kw_only=True)
class Job:
    """A node of the run's graph and what became of it; times are seconds since the run began.

    Attributes:
        id: its name, e.g. "mrpc/freeze".
        kind: "environment", "model", "stage" or "gate".
        targets: those that it is done for.
        announced: when the graph got it.
        memory: bytes it was expected to need, None where nothing was.
        state: one of the states above.
        began: None for a job that did not run.
        ended: None for a job that the run never came to.
        worker: of a cluster, that ran it; empty for what the building machine did.
        said: the last lines of an environment's making.
    """

    id: str
    kind: str = "stage"
    stage: str = ""
    backend: str = ""
    model: str = ""
    needs: tuple[str, ...] = ()
    targets: tuple[TargetId, ...] = ()
    memory: float | None = None
    announced: float = 0.0
    state: str = NOT_BEGUN
    key: str = ""
    began: float | None = None
    ended: float | None = None
    cpu_seconds: float | None = None
    peak_memory: float | None = None
    log: str = ""
    because: str = ""
    message: str = ""
    next_step: str = ""
    worker: str = ""
    said: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))

    @property
    def ran(self) -> bool:
        """Whether it took time of this run."""
        return self.began is not None and self.ended is not None and self.state != CACHED

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return self.ended - self.began if self.began is not None and self.ended is not None else 0.0

    @property
    def name(self) -> str:
        """Its id without its model's name."""
        return self.id.removeprefix(f"{self.model}/") if self.model else self.id


@dataclass(slots=True, kw_only=True)
class Target:
    """What people asked for, and how it ended. `verdict` is the event of its gate, None where there was none."""

    model: str
    name: str
    state: str = NOT_FINISHED
    path: str = ""
    key: str = ""
    bytes: float | None = None
    seconds: float | None = None
    max_abs: float | None = None
    allowed: float | None = None
    message: str = ""
    verdict: Mapping[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """A run as its log tells it. `start` is unix seconds; `wall` and all times of jobs are seconds since then.

    Attributes:
        head: the log's first event; empty where it is missing.
        result: the log's last event where the run ended well, else None.
        error: the log's last event where it did not, else None; both are None where the log just stops.
        training: per job its events "training", in order.
        remarks: notes and warnings, as the run said them.
        unreadable: lines of the log that are not events.
        set_back: seconds by which the clock went back meanwhile.
    """

    id: str
    head: Mapping[str, Any] = field(default_factory=dict)
    start: float = 0.0
    wall: float = 0.0
    jobs: dict[str, Job] = field(default_factory=dict)
    targets: dict[TargetId, Target] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    training: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    unreadable: int = 0
    set_back: float = 0.0

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that a job or a target is of, in the order met."""
        named = [job.model for job in self.jobs.values()] + [target.model for target in self.targets.values()]
        return tuple(dict.fromkeys(filter(None, named)))


def number(value: Any) -> float | None:
    """A JSON number, or None: it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def run_of(run_id: str, log: Log) -> Run:
    """What the log of a run tells.

    Raises:
        StoreError: its graph is none: jobs need each other in a circle.
    """
    start = log.events[0]["time"] if log.events else 0.0
    run = Run(id=run_id, start=start, unreadable=log.unreadable, set_back=log.set_back)
    reader = _Reader(run)
    for event in log.events:
        reader.read(event)
    reader.close()
    try:
        TopologicalSorter({job.id: job.needs for job in run.jobs.values()}).prepare()
    except CycleError as error:
        raise StoreError(
            f"The log of run {run_id} is damaged: its jobs need each other in a circle ({' → '.join(error.args[1])}).",
            next_step="Choose another run with --run.",
        ) from error
    return run


class _Reader:
    """Adds one event after the other to a run."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def read(self, event: Mapping[str, Any]) -> None:
        """Add one event; kinds it does not know say nothing about the run."""
        now = event["time"] - self._run.start
        self._run.wall = now
        add = getattr(self, f"_on_{event['event']}", None)
        if add is not None:
            add(event, now)

    def close(self) -> None:
        """Settle what no event tells: jobs that were running last, and those that had nothing to do."""
        jobs = self._run.jobs
        passed = {need for job in jobs.values() if job.ended is not None or job.began is not None for need in job.needs}
        known = {job.model: job.announced for job in jobs.values()}  # when the last of a model's jobs came
        for job in jobs.values():
            if job.state == UNFINISHED:
                job.ended = self._run.wall
            elif job.state == NOT_BEGUN and job.id in passed:  # what needs it was begun, so that it was done
                job.state, job.ended = CACHED, job.announced
            elif job.state == NOT_BEGUN and job.kind == "model" and known[job.model] > job.announced:
                job.state, job.ended = DONE, known[job.model]  # jobs followed from it
        for job in jobs.values():
            job.needs += self._followed(job)
        for target in self._run.targets.values():
            if target.seconds is None and target.state != NOT_FINISHED:
                own = (job for job in jobs.values() if (target.model, target.name) in job.targets)
                target.seconds = sum(job.seconds for job in own if job.ran)

    def _followed(self, job: Job) -> tuple[str, ...]:
        """The job of the same model that a job followed from, where no need says so: the one known last before it."""
        if not job.model or any(need in self._run.jobs and self._run.jobs[need].model for need in job.needs):
            return ()
        models = [other for other in self._run.jobs.values() if other.kind == "model" and other.model == job.model]
        before = [other for other in models if other.announced < job.announced and other.state != FAILED]
        last = max(before, key=lambda other: other.announced, default=None)
        return (last.id,) if last is not None else ()

    def _job(self, job_id: str, now: float) -> Job:
        return self._run.jobs.setdefault(job_id, Job(id=job_id, announced=now))

    def _target(self, model: str, name: str) -> Target:
        return self._run.targets.setdefault((model, name), Target(model=model, name=name))

    def _on_run(self, event: Mapping[str, Any], _now: float) -> None:
        self._run.head = event

    def _on_graph(self, event: Mapping[str, Any], now: float) -> None:
        for described in _dicts(event.get("jobs")):
            job = self._job(_text(described, "job"), now)
            job.kind = _text(described, "kind") or "stage"
            job.stage, job.backend = _text(described, "stage"), _text(described, "backend")
            job.model = _text(described, "model")
            if job.kind == "model":  # one that stands for a target which cannot be planned is called MODEL/TARGET
                job.model = job.model.partition("/")[0]
            job.needs = _texts(described.get("needs"))
            job.targets = tuple(_target_id(text, job.model) for text in _texts(described.get("targets")))
            job.memory = number(described.get("memory"))
            for model, name in job.targets:
                self._target(model, name)

    def _on_stage(self, event: Mapping[str, Any], now: float) -> None:
        # What belongs to no job of the graph (an inspection, say) is a job of its own.
        job = self._job(_text(event, "job") or f"{_text(event, 'id')} {_text(event, 'key')[:7]}", now)
        job.stage = job.stage or _text(event, "stage")
        job.model = job.model or _text(event, "model")
        for name in ("key", "log", "because", "message", "next_step", "worker"):
            setattr(job, name, _text(event, name) or getattr(job, name))
        for name in ("cpu_seconds", "peak_memory"):
            setattr(job, name, number(event.get(name)))
        job.memory = number(event.get("memory")) or job.memory
        self._pass_on(job, _text(event, "state"), now)
        self._blame(_text(event, "because"), now)

    def _blame(self, job_id: str, now: float) -> Job | None:
        """What others were skipped because of has failed, whether or not an event of its own says so."""
        job = self._run.jobs.get(job_id)
        if job is not None and job.state in (NOT_BEGUN, UNFINISHED):
            self._pass_on(job, FAILED, now)
        return job

    def _on_failure(self, event: Mapping[str, Any], now: float) -> None:
        job = self._job(_text(event, "job"), now)
        self._pass_on(job, FAILED, now if job.ended is None else job.ended)
        job.message, job.next_step = _text(event, "message"), _text(event, "next_step")
        job.said.extend(log_lines(_text(event, "details")))

    def _on_step(self, event: Mapping[str, Any], now: float) -> None:
        job = self._run.jobs.get(_text(event, "job"))
        if job is not None and job.state == NOT_BEGUN:  # one that is run again has no other beginning
            self._pass_on(job, "started", now)

    def _on_reproduced(self, event: Mapping[str, Any], now: float) -> None:
        self._pass_on(self._job(_text(event, "job"), now), DONE, now)
        self._run.remarks.extend(_texts(event.get("lines")))

    def _on_model(self, event: Mapping[str, Any], now: float) -> None:
        self._pass_on(self._job(_text(event, "job"), now), _text(event, "state"), now)

    def _on_environment(self, event: Mapping[str, Any], now: float) -> None:
        backend = _text(event, "backend")
        job = self._job(_text(event, "job") or f"environment {backend}", now)
        job.kind, job.backend = "environment", backend
        if event.get("state") == "line":
            job.said.append(_text(event, "text"))
        else:
            self._pass_on(job, _text(event, "state"), now)

    @staticmethod
    def _pass_on(job: Job, state: str, now: float) -> None:
        if state == CACHED and job.state == DONE:
            return  # made by this very run, which asks for it once more
        if state == "started":
            job.state = UNFINISHED
            job.began = now if job.began is None else job.began
        elif state in (DONE, CACHED, FAILED, SKIPPED, INTERRUPTED):
            job.state = state
            job.ended = now

    def _on_verdict(self, event: Mapping[str, Any], _now: float) -> None:
        self._target(_text(event, "model"), _text(event, "target")).verdict = event

    def _on_target(self, event: Mapping[str, Any], now: float) -> None:
        target = self._target(_text(event, "model"), _text(event, "target"))
        target.state = _text(event, "state") or NOT_FINISHED
        target.path, target.key, target.message = (_text(event, name) for name in ("path", "key", "message"))
        target.bytes, target.seconds = number(event.get("bytes")), number(event.get("seconds"))
        target.max_abs, target.allowed = number(event.get("max_abs")), number(event.get("allowed"))
        blamed = self._blame(_text(event, "because"), now)
        if blamed is not None and target.state == FAILED:
            blamed.targets = tuple(dict.fromkeys((*blamed.targets, (target.model, target.name))))
        gate = self._run.jobs.get(_text(event, "job"))
        if gate is not None and target.state in (FAILED, SKIPPED, NOT_VERIFIED):
            # A gate whose comparison was made, or found, has still failed where the target has.
            gate.state, gate.message = target.state, gate.message or target.message
            gate.because = gate.because or _text(event, "because")
            gate.ended = now if gate.ended is None else gate.ended

    def _on_training(self, event: Mapping[str, Any], _now: float) -> None:
        job = _text(event, "job") or _text(event, "stage")
        self._run.training.setdefault(job, []).append(event)

    def _on_note(self, event: Mapping[str, Any], _now: float) -> None:
        self._run.remarks.append(_text(event, "text"))

    def _on_warning(self, event: Mapping[str, Any], _now: float) -> None:
        self._run.remarks.append(f"warning: {_text(event, 'text')}")

    def _on_result(self, event: Mapping[str, Any], _now: float) -> None:
        self._run.result = event

    def _on_error(self, event: Mapping[str, Any], _now: float) -> None:
        self._run.error = event


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return "" if value is None else str(value)


def _target_id(text: str, model: str) -> TargetId:
    """Of "mrpc/ir-fp32", or of a target of the job's own model by its name alone."""
    named, slash, name = text.rpartition("/")
    return (named, name) if slash else (model, name)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
