"""What a build of many targets would do: their models found as far as they are on disk, their jobs checked."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bertbuild.buildfile.entries import BuildFile, Recipe
from bertbuild.commands.entry_jobs import LocateJob, ModelJob, RefusedJob
from bertbuild.commands.session import Session, shown
from bertbuild.commands.training_jobs import RecipeJob, TrainingJobs
from bertbuild.engine.jobs import StageJob
from bertbuild.engine.remote_object import RemoteObject
from bertbuild.engine.schedule import Job
from bertbuild.engine.staleness import (
    BLOCKED,
    FAILED,
    MAY_RUN,
    NOT_CHECKED,
    REMOTE,
    SHARED,
    UP_TO_DATE,
    WOULD_RUN,
    Check,
    Checker,
)
from bertbuild.errors import BertbuildError
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.store.inputs import as_it_is_now
from bertbuild.store.records import Record

UNKNOWN = "unknown"
"""Of a target: what it is made from is not there yet, or cannot be used."""

_WORST = (FAILED, BLOCKED, WOULD_RUN, MAY_RUN, NOT_CHECKED, SHARED, REMOTE, UP_TO_DATE)


@dataclass(kw_only=True)
class TargetForecast:
    """A target that was asked for.

    Attributes:
        model: whose.
        name: its own.
        jobs: ids of all it needs, its gate last; empty where they are not known.
        because: why they are not known.
    """

    model: str
    name: str
    jobs: list[str] = field(default_factory=list)
    because: str = ""


@dataclass(kw_only=True)
class ModelForecast:
    """A model that targets are made of.

    Attributes:
        name: its name.
        base: the model that it is trained from, empty for others.
        jobs: ids of what imports or trains it.
        first: what would be done before its targets are known ("fetched", "trained"), empty if nothing.
        after: what must be done before that, in words.
        because: why it cannot be used.
        targets: those that were asked for.
    """

    name: str
    base: str = ""
    jobs: list[str] = field(default_factory=list)
    first: str = ""
    after: str = ""
    because: str = ""
    targets: list[TargetForecast] = field(default_factory=list)


class Forecast:
    """What a build would do. Writes what is learnt of files, nothing else: digests, probes, inspections, readings."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._jobs = session.engine.jobs()
        self.checker = Checker(self._jobs, session.store, session.isolation.name, mute=session.mute)
        self.models: dict[str, ModelForecast] = {}

    def add_build_file(self, build_file: BuildFile) -> None:
        """All models and targets of a build file, or of what was selected of it."""
        for entry in build_file.models:
            base = entry.source.base if isinstance(entry.source, Recipe) else ""
            targets = [TargetForecast(model=entry.name, name=target.name) for target in entry.targets]
            self.models[entry.name] = ModelForecast(name=entry.name, base=base, targets=targets)
        file_jobs = TrainingJobs(self.session, build_file.models, keep_going=True, jobs=self._jobs)
        jobs = deque(file_jobs.roots())
        while jobs:
            jobs.extend(self._followed(jobs.popleft(), file_jobs))
        for entry in build_file.models:
            self._explain(self.models[entry.name])

    def add_record(self, record: Record) -> None:
        """A target as it was last built, with its sources as they are now."""
        model = self.models.setdefault(record.model, ModelForecast(name=record.model))
        target = TargetForecast(model=record.model, name=record.target.name)
        model.targets.append(target)
        target.jobs = self.checker.needed(target.model, target.name)
        if target.jobs:
            return
        try:
            plan, probes = _as_it_is_now(record, self.session)
            target.jobs = self.checker.add_targets(plan, probes)
        except BertbuildError as error:
            target.because = str(error)
        except FileNotFoundError as error:
            target.because = f"its source {error.filename} is gone"

    @property
    def targets(self) -> list[TargetForecast]:
        """All targets, by model."""
        return [target for model in self.models.values() for target in model.targets]

    def lineage(self, model: str) -> list[str]:
        """The jobs that make a model, and those that make what it is trained from."""
        found = self.models[model]
        return [*(self.lineage(found.base) if found.base else ()), *found.jobs]

    def jobs(self, targets: Iterable[TargetForecast]) -> list[str]:
        """All jobs that targets need, each once, after what it needs."""
        return list(dict.fromkeys(job for target in targets for job in (*self.lineage(target.model), *target.jobs)))

    def checks(self, jobs: Iterable[str]) -> list[Check]:
        """What would become of jobs, in their order."""
        return [self.checker.check(job) for job in jobs]

    def state(self, target: TargetForecast) -> str:
        """What would become of a target: the gravest state of its jobs; `UNKNOWN` where these are not known."""
        states = {check.state for check in self.checks(target.jobs)}
        return next((state for state in _WORST if state in states), UNKNOWN)

    def _followed(self, job: Job, file_jobs: TrainingJobs) -> Iterable[Job]:
        """What follows from a job of a model, as far as looking tells: nothing is fetched, unpacked or run."""
        if isinstance(job, RefusedJob):
            self._target(job.model, job.target).because = str(job.error)
        if not isinstance(job, LocateJob | ModelJob | RecipeJob):
            return ()  # what it would do the checker tells
        model = self.models[job.entry.name]
        try:
            if not self._done(job, model):
                return ()
            follow = job.follow()
        except BertbuildError as error:
            model.because = str(error)
            return ()
        if isinstance(job, ModelJob):
            for target in job.entry.targets:
                gates = file_jobs.gates.get((model.name, target.name), ())
                self._target(model.name, target.name).jobs = self.checker.add_gates(gates)
        return follow

    def _done(self, job: LocateJob | ModelJob | RecipeJob, model: ModelForecast) -> bool:
        """Whether a job of a model could be done by looking; else what is to be done first is kept."""
        match job:
            case LocateJob():
                if not job.look():
                    model.first = "fetched" if job.wanted.model else "unpacked"
            case RecipeJob():
                if not job.look():
                    model.first, model.after = "trained", f"after the data of {job.task} are fetched"
            case ModelJob():
                if isinstance(job.place, StageJob):
                    model.jobs = list(dict.fromkeys(_made_by(job.place)))
                    found = self.checker.result(job.place)
                    if isinstance(found, RemoteObject):
                        model.first = "brought from the remote store"
                    elif found is None:
                        model.first = "trained" if model.base else "imported"
                if not model.first and not job.settle():
                    job.run()
        return not model.first

    def _target(self, model: str, name: str) -> TargetForecast:
        return next(target for target in self.models[model].targets if target.name == name)

    def _explain(self, model: ModelForecast) -> None:
        """Say why targets are not known, of a model that waits for the one it is trained from too."""
        if model.base and not (model.first or model.because or model.jobs):
            base = self.models[model.base]
            self._explain(base)
            if base.because:
                model.because = base.because
            elif base.first:
                model.first, model.after = "trained", f"after {base.name} is {base.first}"
        for target in model.targets:
            if not target.jobs:
                first = f"not known before {model.name} is {model.first}" if model.first else ""
                target.because = target.because or model.because or first


def _made_by(job: StageJob) -> Iterator[str]:
    """The jobs that make a step's result, each after what it needs."""
    for source in job.sources.values():
        if isinstance(source, StageJob):
            yield from _made_by(source)
    yield f"environment {job.backend}"
    yield job.id


@contextlib.contextmanager
def looking(session: Session) -> Iterator[Forecast]:
    """A forecast that tells nobody what it looks at, but for a place that cannot be asked."""
    if session.mute:
        session.report({"event": "note", "text": f"{session.choice.why}: its results are not checked"})
    silent = replace(session, report=_warnings_of(session), only_looks=True)
    try:
        yield Forecast(silent)
    finally:
        silent.close()


def _as_it_is_now(record: Record, session: Session) -> tuple[Plan, File]:
    """A target's plan over its sources as they are now, and its probes.

    Raises:
        FileNotFoundError: a source is gone.
    """

    def now(source: File | str) -> File | str:
        if isinstance(source, str):
            return source
        is_probes = source.path.parent == (session.store.root / "probes").resolve() and source.path.is_file()
        found = source if is_probes else as_it_is_now(source, session.store.inputs)  # their name is their digest
        if found is None:
            raise FileNotFoundError(0, "", shown(source.path))
        return found

    def renewed(step: Step) -> Step:
        return replace(step, inputs={name: now(source) for name, source in step.inputs.items()})

    plan, target = record.plan, record.target
    needed = target.needed(is_asked=True)  # though it cannot be asked here
    steps = {step.id: renewed(step) for step in plan.needed(*needed)}
    probes = now(plan.step(target.reference).inputs["probes"])
    assert isinstance(probes, File)  # noqa: S101 - plans give probes as a file
    return replace(plan, steps=tuple(steps.values()), targets=(target,)), probes


def _warnings_of(session: Session) -> Callable[[Mapping[str, Any]], None]:
    """Tell the session's listener of warnings alone: of results of the remote store that are not used, and why."""

    def tell(event: Mapping[str, Any]) -> None:
        if event["event"] == "warning":
            session.report(event)

    return tell
