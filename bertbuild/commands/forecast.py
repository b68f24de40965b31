"""What a build of many targets would do: their models found as far as they are on disk, their jobs checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bertbuild.buildfile.entries import BuildFile, ModelEntry, Recipe, TargetEntry
from bertbuild.checkpoint.reading import Choice
from bertbuild.commands.data import Asked, task_of
from bertbuild.commands.entry_jobs import how_read, planned, source_of
from bertbuild.commands.finetune import plan_recipe
from bertbuild.commands.session import Session, shown
from bertbuild.engine.staleness import BLOCKED, FAILED, MAY_RUN, SHARED, UP_TO_DATE, WOULD_RUN, Check, Checker
from bertbuild.errors import BertbuildError
from bertbuild.huggingface.folder import is_huggingface
from bertbuild.plans.finetuning import STEP
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.plans.wanted import Wanted
from bertbuild.source.checkpoints import Inspected, inspected
from bertbuild.source.inputs import as_it_is_now
from bertbuild.source.on_disk import data_at_hand, model_at_hand
from bertbuild.source.resolve import import_plan
from bertbuild.store.records import Record

UNKNOWN = "unknown"
"""Of a target: what it is made from is not there yet, or cannot be used."""

_WORST = (FAILED, BLOCKED, WOULD_RUN, MAY_RUN, SHARED, UP_TO_DATE)


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
        self.checker = Checker(session.engine.jobs(), session.store, session.isolation.name)
        self.models: dict[str, ModelForecast] = {}
        self._folders: dict[str, Path] = {}
        self._choices: dict[str, Choice] = {}

    def add_build_file(self, build_file: BuildFile) -> None:
        """All models and targets of a build file, or of what was selected of it."""
        entries = {entry.name: entry for entry in build_file.models}
        for entry in build_file.models:
            self._add(entry, entries)
        self.models = {name: self.models[name] for name in entries} | self.models

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

    def _add(self, entry: ModelEntry, entries: Mapping[str, ModelEntry]) -> None:
        if entry.name in self.models:
            return
        base = entry.source.base if isinstance(entry.source, Recipe) else ""
        if base:
            self._add(entries[base], entries)
        model = self.models[entry.name] = ModelForecast(name=entry.name, base=base)
        model.targets = [TargetForecast(model=entry.name, name=target.name) for target in entry.targets]
        try:
            if isinstance(entry.source, Recipe):
                folder = self._trained(entry, entry.source, model)
            else:
                folder = self._found(entry.source, model)
            if folder is not None:
                self._folders[entry.name] = folder
                self._choices[entry.name] = how_read(entry).choice
                self._plan(entry, folder, model)
        except BertbuildError as error:
            model.because = str(error)
        for target in model.targets:
            if not target.jobs:
                first = f"not known before {model.name} is {model.first}" if model.first else ""
                target.because = target.because or model.because or first

    def _found(self, wanted: Wanted, model: ModelForecast) -> Path | None:
        """The folder of a model that is on disk."""
        session = self.session
        folder = model_at_hand(wanted, session.settings, session.store)
        if folder is None:
            model.first = "fetched" if wanted.model else "unpacked"
            return None
        if not is_huggingface(folder):
            return folder
        return self._made(import_plan(folder, model.name, session.store), "import", model, "imported")

    def _trained(self, entry: ModelEntry, recipe: Recipe, model: ModelForecast) -> Path | None:
        """The folder of a model that was trained, as its recipe now says."""
        base = self.models[recipe.base]
        if recipe.base not in self._folders:
            model.because = base.because
            model.first, model.after = ("", "") if base.because else ("trained", f"after {base.name} is {base.first}")
            return None
        session, named = self.session, recipe.named
        if named.task and not named.data:
            asked = Asked(task=named.task, version_2_with_negative=recipe.request.version_2_with_negative)
            if not data_at_hand(task_of(asked), session.settings, session.store):
                model.first, model.after = "trained", f"after the data of {named.task} are fetched"
                return None
        plan = plan_recipe(
            session, self._folders[recipe.base], entry.name, named, recipe.request, choice=self._choices[recipe.base]
        )
        return self._made(plan, STEP, model, "trained")

    def _made(self, plan: Plan, step: str, model: ModelForecast, first: str) -> Path | None:
        """The result of a plan's step, if it is there; else `first` is what is to be done."""
        jobs = self.checker.add_steps(plan)
        model.jobs = list(
            dict.fromkeys(need for job in jobs.values() for need in (f"environment {job.backend}", job.id))
        )
        result = self.checker.result(jobs[step])
        if result is None:
            model.first = first
        return None if result is None else result.path

    def _plan(self, entry: ModelEntry, folder: Path, model: ModelForecast) -> None:
        session = self.session
        found = inspected(folder, entry.name, session.store, session.engine, session.report, how_read(entry).choice)
        found = replace(found, named=source_of(entry, session))
        for target, forecast in zip(entry.targets, model.targets, strict=True):
            self._plan_target(target, forecast, found)

    def _plan_target(self, target: TargetEntry, forecast: TargetForecast, found: Inspected) -> None:
        try:
            forecast.jobs = self.checker.add_targets(*planned(self.session, target, found))
        except BertbuildError as error:
            forecast.because = str(error)


@contextlib.contextmanager
def looking(session: Session) -> Iterator[Forecast]:
    """An forecast that tells nobody what it looks at."""
    silent = replace(session, report=_nobody, only_looks=True)
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
    asked = (target.step, *target.asked, *target.told.values())  # though it cannot be asked here
    steps = {step.id: renewed(step) for step in plan.needed(*asked)}
    probes = now(plan.step(target.reference).inputs["probes"])
    assert isinstance(probes, File)  # noqa: S101 - plans give probes as a file
    return replace(plan, steps=tuple(steps.values()), targets=(target,)), probes


def _nobody(_event: Mapping[str, Any]) -> None:
    """Tell nobody."""
