"""Runs plans: each step's result is used if the store has it, else made; a target counts when it passes its gate."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.engine.events import Asked, Teller, new_run, run_event
from bertbuild.engine.executor import Maker, Report, Write
from bertbuild.engine.gate import Built, Judge
from bertbuild.engine.jobs import AgainJob, EnvironmentJob, Jobs, StageJob
from bertbuild.engine.memory import MemoryBudget
from bertbuild.engine.order import Order
from bertbuild.engine.schedule import Job, Scheduler
from bertbuild.errors import BertbuildError, Lacking, OfflineError
from bertbuild.isolation.base import Isolation
from bertbuild.isolation.choice import remember
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.store.past_runs import SAID_BEFORE
from bertbuild.store.store import Store, StoredObject

if TYPE_CHECKING:
    from bertbuild.engine.dispatch import Dispatcher
    from bertbuild.engine.elsewhere import Elsewhere


class Engine:
    """One store, one isolation, one listener; so many jobs at once, in so many bytes of memory (0: what is free)."""

    def __init__(
        self,
        store: Store,
        isolation: Isolation,
        report: Report,
        *,
        slots: int = 1,
        memory: int = 0,
        offline: bool = False,
        elsewhere: Elsewhere | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        """`elsewhere`: the remote store, where there is one; `dispatcher`: what has other machines run stages."""
        self._run_id = new_run()
        self._maker = Maker(store, isolation, report, self._run_id, elsewhere, dispatcher)
        self._judge = Judge(self._maker)
        self._report = report
        self._isolation = isolation
        self._slots = slots
        self._memory = memory
        self._offline = offline
        self._told = False

    def run(self, plan: Plan, *, alone: Collection[str] = ()) -> dict[str, StoredObject]:
        """The results of all steps, by step id.

        Args:
            plan: its steps are run, its targets are not judged.
            alone: ids of steps that measure on this machine with none beside them, so that the times are theirs: where
                the place has turns, what they do before that is done beside others. Where there are such, no step
                runs on another machine.

        Raises:
            BertbuildError: the first failure, in the plan's order.
        """
        if alone:
            self._maker.dispatcher = None
        new, steps = self.jobs().of_steps(plan)
        for name in alone:
            if self._isolation.has_turns:
                steps[name].has_turn = True
            else:
                steps[name].is_alone = True
        self._execute_or_raise(new, plan.model)
        return {name: job.made for name, job in steps.items()}

    def build(self, plan: Plan, probes: File) -> list[Built]:
        """Make the plan's targets; each is judged, and named if it passes.

        Raises:
            BertbuildError: the first failure, in the plan's order; targets that passed keep their names.
            ParityError: a target does not answer like its source.
        """
        new, gates = self.jobs().of_targets(plan, probes)
        self._execute_or_raise(new, plan.model)
        return [gate.built for gate in gates if gate.built is not None]

    def jobs(self) -> Jobs:
        """An empty set of jobs over the engine's store and isolation."""
        return Jobs(self._maker, self._judge)

    def execute(self, jobs: Iterable[Job], asked: Asked, *, keep_going: bool) -> list[BertbuildError]:
        """Run jobs, and what follows from them; failures are told when they happen, and given in the end.

        Args:
            jobs: in the order in which they are begun where nothing else decides.
            asked: what they are about.
            keep_going: whether jobs that do not need a failed one are begun.
        """
        return self._execute(jobs, asked, keep_going=keep_going, tell_failures=True)

    def run_jobs(self, jobs: Iterable[Job], model: str) -> None:
        """Run jobs that are about a model, and what follows from them.

        Raises:
            BertbuildError: the first failure, in the order in which they were given.
        """
        self._execute_or_raise(jobs, model)

    def _execute_or_raise(self, jobs: Iterable[Job], model: str) -> None:
        asked = Asked(models=[model])
        failures = self._execute(jobs, asked, keep_going=False, tell_failures=False)
        if failures:
            raise failures[0]

    def _execute(
        self, jobs: Iterable[Job], asked: Asked, *, keep_going: bool, tell_failures: bool
    ) -> list[BertbuildError]:
        jobs = list(jobs)
        if self._offline:
            self.require(job.backend for job in jobs if isinstance(job, EnvironmentJob))
        budget = MemoryBudget(self._memory)
        self.begin(asked, slots=self._slots, memory=budget.limit)
        scheduler = Scheduler(
            Teller(self._report, self._maker.measured, tell_failures=tell_failures),
            slots=self._slots,
            away=self._maker.dispatcher.most if self._maker.dispatcher else 0,
            fits=budget.fits,
            keep_going=keep_going,
            cancel=self._maker.end,
        )
        try:
            scheduler.run(jobs)
        finally:
            self._maker.measured.save()
            if self._maker.used_isolation:
                remember(self._maker.store.root, self._isolation.name)
        return scheduler.failures

    @property
    def run_id(self) -> str:
        """The id of the run, by which its log is called."""
        return self._run_id

    def say_again(self, run: str, asked: Asked) -> None:
        """Say all that an earlier run said, because nothing has changed since (`run_log.RunLog` has its words)."""
        self.begin(asked, slots=self._slots, memory=MemoryBudget(self._memory).limit)
        self._report({"event": SAID_BEFORE, "run": run})

    def begin(self, asked: Asked, *, slots: int = 1, memory: int = 0) -> None:
        """Say what a run is about, once: its log begins with this."""
        if not self._told:
            self._report(run_event(self._run_id, self._isolation.name, asked, slots, memory))
            self._told = True

    def found(self, order: Order) -> StoredObject | None:
        """The store's result, if it has one that is whole."""
        return self._maker.find(order)

    def stored(self, order: Order, write: Write) -> StoredObject:
        """A result that the host makes itself: the store's, or what `write` puts into the `out` of its work folder."""
        return self._maker.stored(order, write)

    def run_again(
        self, step: Step, results: Mapping[str, StoredObject], destination: Path, told: Mapping[str, str]
    ) -> None:
        """Run a step whether or not the store has its result; what it writes becomes `destination`, a new folder.

        `told` is said with its events, as the job and the model that it belongs to.
        """
        self.prepare(backend_of(step))
        inputs = {name: source if isinstance(source, File) else results[source] for name, source in step.inputs.items()}
        self._maker.asked_again(step, inputs, {"id": step.id, **told}, destination)

    def again(self, job: StageJob) -> AgainJob:
        """The job that runs a step which is done once more, and compares."""
        return AgainJob(self._maker, job)

    def require(self, backends: Iterable[str]) -> None:
        """Have the environments of backends, as far as that goes without the network.

        Raises:
            OfflineError: it does not; all that is missing is named.
        """
        lacking = [thing for backend in backends for thing in self._lacking(backend)]
        if lacking:
            raise OfflineError(lacking)

    def lacks(self, backends: Iterable[str]) -> list[Lacking]:
        """What `require` would miss of the environments of backends, as far as looking tells; nothing is made."""
        return [thing for backend in backends for thing in self._isolation.lacks(backend)]

    def _lacking(self, backend: str) -> tuple[Lacking, ...]:
        if lacking := self._isolation.lacks(backend):  # nothing is begun that cannot be ended
            return lacking
        try:
            self.prepare(backend)
        except OfflineError as error:
            return error.lacking
        return ()

    def prepare(self, backend: str) -> None:
        """Make a backend's environment if it is not as it should be."""
        if not self._maker.is_ready(backend):
            self._maker.require_obtainable(backend)
            self._maker.prepare(backend)
