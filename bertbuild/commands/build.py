"""build: the models and targets of a build file, each model's targets planned as soon as the model is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bertbuild.buildfile.entries import (
    BuildFile,
    ModelEntry,
    Recipe,
    TargetEntry,
)
from bertbuild.checkpoint.reading import Choice
from bertbuild.commands.reference import with_reference
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session, shown
from bertbuild.commands.target import calibration_of
from bertbuild.engine.events import Asked
from bertbuild.engine.executor import Report
from bertbuild.engine.jobs import GateJob, Jobs, StageJob
from bertbuild.engine.schedule import Job
from bertbuild.errors import BertbuildError, BuildFailedError
from bertbuild.huggingface.folder import is_huggingface
from bertbuild.kinds.leaving import left_out
from bertbuild.kinds.planning import longest_probe, named, plan_targets
from bertbuild.plans.finetuning import STEP
from bertbuild.plans.parts import Part
from bertbuild.plans.plan import File, Plan
from bertbuild.plans.wanted import Wanted
from bertbuild.plural import are, number_of
from bertbuild.report.counts import counted
from bertbuild.source.checkpoints import AS_IT_IS, Inspected, inspected, inspected_before
from bertbuild.source.resolve import as_named, import_plan, located


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """A target of a build file that is there.

    Attributes:
        model: what it is made of.
        target: its name.
        state: "built", "up to date" or "not verified".
        left_out: parts of the model that it has not.
        path: its name in out/, a link to the folder in the store.
        key: of the result that it is.
        max_abs: the largest absolute difference from the source's answers, None where not verified.
        references: the TensorFlows that ran the source.
    """

    model: str
    target: str
    state: str
    left_out: tuple[Part, ...]
    path: Path
    key: str
    max_abs: float | None
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBuilt(Result):
    """The targets of a build file, in its order."""

    targets: tuple[FileTarget, ...]


def build(session: Session, build_file: BuildFile, *, keep_going: bool, verify_reproducible: bool = False) -> FileBuilt:
    """Build every target of a build file, and say how many are built and up to date.

    Args:
        session: of the command.
        build_file: what to build.
        keep_going: whether a failure lets go on what does not depend on it.
        verify_reproducible: whether every stage is then run once more, and must write the same.

    Raises:
        BuildFailedError: a target failed, or what it is made of; those that passed have their names.
        NotReproducibleError: a stage wrote something else the second time.
    """
    session.warn(build_file.warnings)
    session.isolation.require()
    if session.settings.offline:
        from bertbuild.commands.offline import require_for_file

        require_for_file(session, build_file)
    file_jobs = FileJobs(session, build_file, keep_going=keep_going)
    asked = Asked(models=[entry.name for entry in build_file.models], build_file=str(build_file.path))
    failures = session.engine.execute(file_jobs.roots(), asked, keep_going=keep_going)
    file_jobs.check(failures)
    if verify_reproducible:
        from bertbuild.commands.reproduce import verify_reproducible as verify

        verify(session, [job for job in file_jobs.jobs.ids.values() if isinstance(job, StageJob)], asked)
    return file_jobs.finish()


class FileJobs:
    """The jobs of a build file: a model first, then its targets, and the models that are trained from it."""

    def __init__(self, session: Session, build_file: BuildFile, *, keep_going: bool) -> None:
        self.session, self.keep_going = session, keep_going
        self.jobs: Jobs = session.engine.jobs()
        self.gates: dict[tuple[str, str], GateJob] = {}
        self._left: dict[tuple[str, str], list[Part]] = {}
        self._entries = build_file.models

    def roots(self) -> list[Job]:
        """The jobs that find the models which are made of no other."""
        return [LocateJob(self, entry) for entry in self._entries if not isinstance(entry.source, Recipe)]

    def promised(self, entry: ModelEntry) -> list[tuple[str, str]]:
        """The targets that cannot be built when their model cannot."""
        own = [(entry.name, target.name) for target in entry.targets]
        return own + [promise for trained in self.trained_from(entry) for promise in self.promised(trained)]

    def trained_from(self, entry: ModelEntry) -> list[ModelEntry]:
        """The models whose recipe begins with this one."""
        return [
            other for other in self._entries if isinstance(other.source, Recipe) and other.source.base == entry.name
        ]

    def of_targets(self, entry: ModelEntry, found: Inspected) -> list[Job]:
        """The jobs of a model's targets."""
        return [job for target in entry.targets for job in self._of_target(entry.name, target, found)]

    def _of_target(self, model: str, target: TargetEntry, found: Inspected) -> list[Job]:
        try:
            new, gates = self.jobs.of_targets(*planned(self.session, target, found))
        except BertbuildError as error:
            return [RefusedJob(model, target.name, error)]
        self.gates[model, target.name] = gates[-1]
        self._left[model, target.name] = left_out(found.source, target.request)
        return new

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Model and name of every target."""
        return [(entry.name, target.name) for entry in self._entries for target in entry.targets]

    def check(self, failures: Sequence[BertbuildError]) -> None:
        """Say how many targets failed.

        Raises:
            BuildFailedError: something failed.
        """
        missing = [name for name in self.asked if (gate := self.gates.get(name)) is None or gate.built is None]
        if failures:
            raise BuildFailedError(
                f"{len(missing)} of {number_of(len(self.asked), 'target')} {are(len(missing))} not built.",
                failures=failures,
                next_step="See the failures above; what is built has its name in out/. To see it all: invoke report",
            )

    def finish(self) -> FileBuilt:
        """Say what is built."""
        rows = [self._fact(model, target) for model, target in self.asked]
        counts = counted(row.state for row in rows) or "none"
        out = shown(self.session.store.root / "out")
        line = f"{number_of(len(rows), 'target')} in {out}: {counts}"
        return self.session.result(FileBuilt(targets=tuple(rows)), *self._lines(), line)

    def _lines(self) -> Iterable[str]:
        """What targets leave out of their models; targets that leave out the same are named together."""
        by_part: dict[tuple[str, Part], list[str]] = {}
        for (model, target), parts in self._left.items():
            for part in parts:
                by_part.setdefault((model, part), []).append(target)
        for (model, part), targets in by_part.items():
            yield part.line(f"{model}/{', '.join(targets)}")

    def _fact(self, model: str, target: str) -> FileTarget:
        gate = self.gates[model, target]
        assert gate.built is not None  # noqa: S101 - else `check` has raised
        verdict = gate.built.verdict
        return FileTarget(
            model=model,
            target=target,
            state=gate.state,
            left_out=tuple(self._left.get((model, target), ())),
            path=gate.built.path,
            key=gate.built.stored.key,
            max_abs=verdict.worst.max_abs if verdict else None,
            references=tuple(verdict.references) if verdict else (),
        )


class LocateJob(Job):
    """A model brought to disk: fetched or unpacked if need be; a Hugging Face folder is then imported."""

    def __init__(self, file_jobs: FileJobs, entry: ModelEntry) -> None:
        super().__init__(f"{entry.name} source")
        self.promised = file_jobs.promised(entry)
        self._file_jobs, self._entry = file_jobs, entry
        self._folder = Path()
        self._refused: dict[str, BertbuildError] = {}

    def settle(self) -> bool:
        """See `schedule.Job`."""
        source = self._entry.source
        assert isinstance(source, Wanted)  # noqa: S101 - a recipe has a job of its own
        if not source.checkpoint or not Path(source.checkpoint).is_dir():
            return False  # to be fetched, or unpacked
        self.run()
        return True

    def run(self) -> None:
        """See `schedule.Job`."""
        session = self._file_jobs.session
        report = _of_job(session.report, self.id)
        assert isinstance(self._entry.source, Wanted)  # noqa: S101 - a recipe has a job of its own
        self._folder, _ = located(self._entry.source, session.settings, session.store, report)
        if is_huggingface(self._folder):
            from bertbuild.commands.ahead import refusals

            self._refused = refusals(session, self._entry, self._folder)

    def follow(self) -> Iterable[Job]:
        """What is refused, the import, where one is needed, and the model itself."""
        if not is_huggingface(self._folder):
            return [ModelJob(self._file_jobs, self._entry, self._folder)]
        refused = [RefusedJob(self._entry.name, name, error) for name, error in self._refused.items()]
        targets = tuple(target for target in self._entry.targets if target.name not in self._refused)
        goes_on = self._file_jobs.keep_going and (targets or self._file_jobs.trained_from(self._entry))
        if refused and not goes_on:  # nor is the import planned: that hashes the weights, which counts as imported
            return refused
        plan = import_plan(self._folder, self._entry.name, self._file_jobs.session.store)
        new, steps = self._file_jobs.jobs.of_steps(plan)
        return [*refused, *new, ModelJob(self._file_jobs, replace(self._entry, targets=targets), steps["import"])]


class ModelJob(Job):
    """A model inspected; what is made of it follows."""

    def __init__(self, file_jobs: FileJobs, entry: ModelEntry, folder: Path | StageJob) -> None:
        super().__init__(entry.name, (folder.id,) if isinstance(folder, StageJob) else ())
        self.promised = file_jobs.promised(entry)
        self._file_jobs, self._entry, self._place = file_jobs, entry, folder
        self._found: Inspected | None = None

    @property
    def _folder(self) -> Path:
        return self._place if isinstance(self._place, Path) else self._place.made.path

    def settle(self) -> bool:
        """See `schedule.Job`."""
        session = self._file_jobs.session
        choice = choice_of(self._entry)
        found = inspected_before(self._folder, self._entry.name, session.store, session.engine, choice)
        self._found = found and replace(found, named=source_of(self._entry, session))
        return self._found is not None

    def run(self) -> None:
        """See `schedule.Job`."""
        session = self._file_jobs.session
        report = _of_job(session.report, self.id)
        choice = choice_of(self._entry)
        found = inspected(self._folder, self._entry.name, session.store, session.engine, report, choice)
        self._found = replace(found, named=source_of(self._entry, session))

    def follow(self) -> Iterable[Job]:
        """Its targets, and the models that are trained from it."""
        assert self._found is not None  # noqa: S101 - it has run
        base = (self._folder, choice_of(self._entry))
        trained = [RecipeJob(self._file_jobs, entry, *base) for entry in self._file_jobs.trained_from(self._entry)]
        return [*self._file_jobs.of_targets(self._entry, self._found), *trained]


class RecipeJob(Job):
    """How a model is trained from another one's folder: the data found, the steps planned; they follow."""

    def __init__(self, file_jobs: FileJobs, entry: ModelEntry, base: Path, choice: Choice) -> None:
        super().__init__(f"{entry.name} recipe")
        self.promised = file_jobs.promised(entry)
        self._file_jobs, self._entry, self._base, self._choice = file_jobs, entry, base, choice
        self._plan: Plan | None = None

    def run(self) -> None:
        """See `schedule.Job`."""
        from bertbuild.commands.finetune import plan_recipe

        recipe = self._entry.source
        assert isinstance(recipe, Recipe)  # noqa: S101 - only such entries are trained
        session = self._file_jobs.session
        self._plan = plan_recipe(
            session, self._base, self._entry.name, recipe.named, recipe.request, choice=self._choice
        )

    def follow(self) -> Iterable[Job]:
        """The training, and the trained model."""
        assert self._plan is not None  # noqa: S101 - it has run
        new, steps = self._file_jobs.jobs.of_steps(self._plan)
        return [*new, ModelJob(self._file_jobs, self._entry, steps[STEP])]


class RefusedJob(Job):
    """A target that cannot be planned."""

    def __init__(self, model: str, target: str, error: BertbuildError) -> None:
        super().__init__(f"{model}/{target}")
        self.promised = [(model, target)]
        self._error = error

    def settle(self) -> bool:
        """See `schedule.Job`."""
        raise self._error


def planned(session: Session, target: TargetEntry, found: Inspected) -> tuple[Plan, File]:
    """A target's plan, and its probes.

    Raises:
        UsageError: the target and the model do not go together, or its name is another source's.
        InterpreterMissingError: TensorFlow 1.15 is meant and cannot be had here.
    """
    probes = session.probes(found, longest_probe(target.request))
    calibration = calibration_of(session, found.source, target.request)
    plan = named(plan_targets(found.source, target.request, probes, calibration), target.name)
    session.claim(plan.model, target.name, found.named, found.source.file.digest)
    return with_reference(session, plan, target.reference), probes


def _of_job(report: Report, job: str) -> Report:
    return lambda event: report({**event, "job": job})


def choice_of(entry: ModelEntry) -> Choice:
    """How an entry's checkpoint is read."""
    return AS_IT_IS if isinstance(entry.source, Recipe) else entry.source.choice


def source_of(entry: ModelEntry, session: Session) -> str:
    """An entry's source in words, as names in out/ remember it."""
    if isinstance(entry.source, Recipe):
        return f"a training on {entry.source.named.task or entry.source.named.prepared} from {entry.source.base}"
    return as_named(entry.source, session.store)
