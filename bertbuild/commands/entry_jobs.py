"""The jobs of models and their targets, of a build file or of one command: a model is found, inspected, its targets are
planned, made, judged, named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bertbuild.buildfile.entries import ModelEntry, Recipe, TargetEntry
from bertbuild.checkpoint.vocabulary import require_words
from bertbuild.commands.changed_default import changed_default
from bertbuild.commands.reference import with_folder, with_reference
from bertbuild.commands.session import Session
from bertbuild.engine.executor import Report
from bertbuild.engine.jobs import GateJob, Jobs, StageJob
from bertbuild.engine.schedule import Job
from bertbuild.errors import BertbuildError
from bertbuild.kinds import kind_of
from bertbuild.kinds.guard import asked_outside
from bertbuild.kinds.int8 import Calibration, asks_int8
from bertbuild.kinds.kind import Request
from bertbuild.kinds.leaving import left_out
from bertbuild.kinds.planning import longest_probe, named, plan_targets
from bertbuild.plans.carrying import reads_text, with_text, writes_tokenizer
from bertbuild.plans.parts import Part
from bertbuild.plans.plan import TF2, File, Plan, Source
from bertbuild.plans.prepare_data import OWN
from bertbuild.plans.wanted import Wanted
from bertbuild.source.checkpoints import Inspected
from bertbuild.source.known_text import require_text, require_tokenizer, text_of, unknown_of, words_of_another
from bertbuild.source.on_disk import model_at_hand
from bertbuild.source.origin import origin_told
from bertbuild.source.own_data import own_name
from bertbuild.source.resolve import (
    USUAL,
    as_named,
    called,
    check_wanted,
    import_plan,
    located,
    look,
    looked_before,
    to_import,
)
from bertbuild.text.facts import Text


class EntryJobs:
    """The jobs of entries: a model first, then its targets, and the models that are trained from it.

    Attributes:
        gates: model and target as an entry names them → its gates, the one of what was asked for last.
        found: the models that are inspected, by name.
        several: whether more than one model is made of no other.
    """

    def __init__(
        self, session: Session, entries: Sequence[ModelEntry], *, keep_going: bool = False, jobs: Jobs | None = None
    ) -> None:
        self.session, self.entries, self.keep_going = session, entries, keep_going
        self.jobs: Jobs = session.engine.jobs() if jobs is None else jobs
        self.gates: dict[tuple[str, str], list[GateJob]] = {}
        self._left: dict[tuple[str, str], list[Part]] = {}
        self.found: dict[str, Inspected] = {}
        self._trained: dict[str, list[ModelEntry]] = {}
        for entry in entries:
            if isinstance(entry.source, Recipe):
                self._trained.setdefault(entry.source.base, []).append(entry)
        self.several = sum(isinstance(entry.source, Wanted) for entry in entries) > 1

    def roots(self) -> list[Job]:
        """The jobs that find the models which are made of no other."""
        return [LocateJob(self, entry, entry.source) for entry in self.entries if isinstance(entry.source, Wanted)]

    def promised(self, entry: ModelEntry) -> list[tuple[str, str]]:
        """The targets that cannot be built when their model cannot; a command's have no names yet."""
        own = [(entry.name, target.name) for target in entry.targets if target.name]
        return own + [promise for trained in self.trained_from(entry) for promise in self.promised(trained)]

    def trained_from(self, entry: ModelEntry) -> list[ModelEntry]:
        """The models whose recipe begins with this one."""
        return self._trained.get(entry.name, [])

    def of_targets(self, entry: ModelEntry, found: Inspected) -> list[Job]:
        """The jobs of a model's targets."""
        self.found[entry.name] = found
        return [job for target in entry.targets for job in self._of_target(entry.name, target, found)]

    def of_trained(self, _entry: ModelEntry, _folder: Path) -> list[Job]:
        """The jobs that train others from a model in a folder: a build file's, and none of a command's one entry."""
        return []

    def _of_target(self, model: str, target: TargetEntry, found: Inspected) -> list[Job]:
        try:
            plan, probes = planned(self.session, target, found)
            new, gates = self.jobs.of_targets(plan, probes)
        except BertbuildError as error:
            return [RefusedJob(model, target.name, error)]
        self.gates[model, target.name] = gates
        self._left[model, target.name] = left_out(found.source, target.request)
        of_file = bool(target.name)
        for text in changed_default(self.session.store, found.source, target.request, plan, of_file=of_file):
            self.session.report({"event": "note", "text": text})
        return new

    def left(self, model: str, target: str) -> list[Part]:
        """The parts of a model that a target which is built leaves out."""
        built = self.gates[model, target][-1].built
        if built is not None and self.found[model].source.kind in TF2:  # known only of what was made
            from bertbuild.report.mapping import parts_left_out

            return parts_left_out(built.path)
        return self._left[model, target]


class LocateJob(Job):
    """A model brought to disk: fetched or unpacked if need be; a Hugging Face folder is then imported."""

    def __init__(self, entry_jobs: EntryJobs, entry: ModelEntry, wanted: Wanted) -> None:
        super().__init__(f"{entry.name} source")
        self.promised = entry_jobs.promised(entry)
        self.entry, self.wanted = entry, wanted
        self._entry_jobs = entry_jobs
        self._folder: Path | None = None
        self._imported = True
        self._refused: dict[str, BertbuildError] = {}

    def settle(self) -> bool:
        """See `schedule.Job`."""
        session, wanted = self._entry_jobs.session, self.wanted
        if wanted.model:
            from bertbuild.commands.ahead import refused_unfetched

            self._refused = refused_unfetched(session, self.entry, wanted.model)
            if not self._goes_on:
                return True
        if self._entry_jobs.several and not (wanted.checkpoint and Path(wanted.checkpoint).is_dir()):
            return False  # to be fetched, or unpacked
        self.run()  # alone, it is done by this thread, which Ctrl-C ends at once
        return True

    def run(self) -> None:
        """See `schedule.Job`."""
        session = self._entry_jobs.session
        self._is_at(located(self.wanted, session.settings, session.store, _of_job(session.report, self.id)))

    def look(self) -> bool:
        """The same without fetching or unpacking, by who asks what would be done; gives whether none is needed."""
        session = self._entry_jobs.session
        folder = model_at_hand(self.wanted, session.settings, session.store)
        if folder is not None:
            self._is_at(folder)
        return folder is not None

    def _is_at(self, folder: Path) -> None:
        self._folder, session = folder, self._entry_jobs.session
        if to_import(self.wanted, folder):
            from bertbuild.commands.ahead import is_imported, refusals

            self._imported = is_imported(session, folder)
            if not self._imported:
                self._refused |= refusals(session, self.entry, folder)

    @property
    def _targets(self) -> tuple[TargetEntry, ...]:
        return tuple(target for target in self.entry.targets if target.name not in self._refused)

    @property
    def _goes_on(self) -> bool:
        """Whether anything is left to do with the model, and may be done."""
        others = self._targets or self._entry_jobs.trained_from(self.entry)
        return not self._refused or bool(self._entry_jobs.keep_going and others)

    def follow(self) -> Iterable[Job]:
        """What is refused, the import, where one is needed, and the model itself."""
        refused = [RefusedJob(self.entry.name, name, error) for name, error in self._refused.items()]
        if self._folder is None or not self._goes_on:
            return refused  # nor is the import planned: that hashes the weights, which counts as imported
        entry = replace(self.entry, targets=self._targets)
        if not to_import(self.wanted, self._folder):
            return [*refused, ModelJob(self._entry_jobs, entry, self._folder)]
        plan = import_plan(self._folder, entry.name, self._entry_jobs.session.store)
        new, steps = self._entry_jobs.jobs.of_steps(plan)
        return [*refused, *new, ModelJob(self._entry_jobs, entry, steps["import"]), *self._meanwhile(entry)]

    def _meanwhile(self, entry: ModelEntry) -> list[Job]:
        """The environments that the model's targets will need, made while it is imported."""
        if self._imported:
            return []
        from bertbuild.commands.ahead import backends_of_targets

        return self._entry_jobs.jobs.of_environments(backends_of_targets(self._entry_jobs.session, entry))


class ModelJob(Job):
    """A model inspected; what is made of it follows."""

    def __init__(self, entry_jobs: EntryJobs, entry: ModelEntry, place: Path | StageJob) -> None:
        super().__init__(entry.name, (place.id,) if isinstance(place, StageJob) else ())
        self.promised = entry_jobs.promised(entry)
        self.entry, self.place = entry, place
        self._entry_jobs = entry_jobs
        self._found: Inspected | None = None

    @property
    def _folder(self) -> Path:
        return self.place if isinstance(self.place, Path) else self.place.made.path

    def settle(self) -> bool:
        """See `schedule.Job`."""
        session, entry = self._entry_jobs.session, self.entry
        report = _of_job(session.report, self.id)
        found = looked_before(how_read(entry), self._folder, entry.name, session.store, session.engine, report)
        self._found = found and self._told(found)
        return self._found is not None

    def run(self) -> None:
        """See `schedule.Job`."""
        from bertbuild.commands.ahead import expect_stages

        session, entry = self._entry_jobs.session, self.entry
        expect_stages(session, entry)
        report = _of_job(session.report, self.id)
        found = look(how_read(entry), self._folder, entry.name, session.store, session.engine, report)
        self._found = self._told(found)

    def _told(self, found: Inspected) -> Inspected:
        """What was found, with what the entry and the catalogue say of it.

        Raises:
            CheckpointError: the vocabulary that is named has more words than the model.
        """
        wanted, lower_case = how_read(self.entry), None
        if wanted.model:
            from bertbuild.catalogue.models import find_model

            lower_case = find_model(wanted.model).lower_case
        if wanted.vocab and found.vocab_size:  # one that lies beside the weights is told, one that is named is refused
            require_words(Path(wanted.vocab), found.vocab_size)
        named = source_of(self.entry, self._entry_jobs.session)
        source = self._with_origin(found.source)
        return replace(found, source=source, named=named, labels=wanted.labels, lower_case=lower_case)

    def _with_origin(self, source: Source) -> Source:
        """The source with the Hugging Face folder that it was imported from, where transformers can read that."""
        folder = self.place.sources.get("huggingface") if isinstance(self.place, StageJob) else None
        if not isinstance(folder, File):
            return source
        return replace(source, origin=origin_told(folder, source.family, self._folder))

    def follow(self) -> Iterable[Job]:
        """Its targets, and the models that are trained from it."""
        assert self._found is not None  # noqa: S101 - it has run
        trained = self._entry_jobs.of_trained(self.entry, self._folder)
        return [*self._entry_jobs.of_targets(self.entry, self._found), *trained]


class RefusedJob(Job):
    """A target that cannot be planned."""

    def __init__(self, model: str, target: str, error: BertbuildError) -> None:
        super().__init__(f"{model}/{target}" if target else f"{model} target")
        self.promised = [(model, target)] if target else []
        self.model, self.target, self.error = model, target, error

    def settle(self) -> bool:
        """See `schedule.Job`."""
        raise self.error


def require_places(session: Session, entries: Sequence[ModelEntry]) -> None:
    """Have a place where stages run; without the network, all that the entries need of it.

    Raises:
        EnvironmentMissingError: there is no such place.
        OfflineError: something is missing; all of it is named.
    """
    session.isolation.require()
    if session.settings.offline:
        from bertbuild.commands.offline import require_for

        require_for(session, entries)


def find(session: Session, wanted: Wanted) -> Inspected:
    """The source that was named, fetched, unpacked and imported if need be, and inspected.

    Raises:
        UsageError: not just one source was named.
        CheckpointError: it did not pass; nothing was started.
        UnknownModelError, DownloadError, IntegrityError, ArchiveError, NoSpaceError: it could not be had.
    """
    entry = entry_of(session, wanted)
    jobs = EntryJobs(session, (entry,))
    session.engine.run_jobs(jobs.roots(), entry.name)
    return jobs.found[entry.name]


def entry_of(session: Session, wanted: Wanted, *targets: TargetEntry, flags: Sequence[str] = USUAL) -> ModelEntry:
    """What a command that takes its source by `flags` names as such, as a build file has it.

    Raises:
        UsageError: not just one source was named, or flags that do not go with it.
        UnknownModelError: the catalogue has no such model.
    """
    check_wanted(wanted, flags)
    return ModelEntry(name=called(wanted, session.store), source=wanted, targets=targets)


def asked_alone(request: Request) -> TargetEntry:
    """A request as a command makes it: its targets have the names that its plan gives them."""
    return TargetEntry(name="", kind=kind_of(request).name, request=request, table="")


def planned(session: Session, target: TargetEntry, found: Inspected) -> tuple[Plan, File]:
    """A target's plan, and its probes.

    Raises:
        UsageError: the target and the model do not go together, or its name is another source's.
        InterpreterMissingError: TensorFlow 1.15 is meant and cannot be had here.
    """
    how_read = kind_of(target.request).how_read(target.request)
    text = text_of(found, session.store, how_read)
    source, probes, asked = _asked(session, found, text, target.request)
    calibration = _calibration(session, source, target.request)
    plan = asked_outside(plan_targets(source, target.request, probes, calibration), asked)
    plan = named(plan, target.name) if target.name else plan
    plan = with_folder(session, plan, found.source, target.reference)
    session.claim_targets(plan, found.named, found.source.file)
    placed = with_reference(session, plan, target.reference)
    if reads_text(plan):
        require_text(found, text)
    elif writes_tokenizer(plan):
        require_tokenizer(found, text, how_read)
    elif text is not None and (other := words_of_another(found, text)):
        session.report({"event": "warning", "text": f"{other} The target carries no tokenizer."})
        text = None
    return with_text(placed, *text) if text else placed, probes


def _asked(
    session: Session, found: Inspected, text: tuple[Text, File] | None, request: Request
) -> tuple[Source, File, File]:
    """The source as a request needs it known, what it is asked, and what the request's targets are asked.

    Raises:
        UsageError, CheckpointError: as `unknown_of`, where the request's graph is guarded.
    """
    if not kind_of(request).guarded(request):
        probes = session.probes(found, longest_probe(request))
        return found.source, probes, probes
    unknown = unknown_of(found, text)
    return replace(found.source, unknown=unknown), *session.guarded_probes(found, unknown)


def _calibration(session: Session, source: Source, request: Request) -> Calibration | None:
    """What a request's int8 target is calibrated on, found and checked; None where none is asked for.

    Raises:
        DataError, UsageError: as `find_calibration`.
    """
    if not asks_int8(request):
        return None
    from bertbuild.source.calibration import find_calibration

    return find_calibration(request, source, session.store)


def _of_job(report: Report, job: str) -> Report:
    return lambda event: report({**event, "job": job})


def how_read(entry: ModelEntry) -> Wanted:
    """How an entry's model is read once it is on disk; one that was trained is a checkpoint like any other."""
    return Wanted() if isinstance(entry.source, Recipe) else entry.source


def source_of(entry: ModelEntry, session: Session) -> str:
    """An entry's source in words, as names in out/ remember it."""
    if isinstance(entry.source, Recipe):
        named = entry.source.named
        task = own_name(Path(named.data)) if named.task.upper() == OWN else named.task
        return f"a training on {task or named.prepared} from {entry.source.base}"
    return as_named(entry.source, session.store)
