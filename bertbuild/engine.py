"""Runs plans: each step's result is used if the store has it, else made; a target counts when it passes its gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bertbuild.errors import BertbuildError
from bertbuild.isolation.base import Isolation
from bertbuild.jobs import Jobs
from bertbuild.judging import Built, Judge
from bertbuild.making import Maker, Order, Report
from bertbuild.memory import MemoryBudget
from bertbuild.plan import File, Plan, Step
from bertbuild.schedule import Job, Scheduler
from bertbuild.stages import STAGES
from bertbuild.store import Store, StoredObject
from bertbuild.telling import Teller, run_event


class Engine:
    """One store, one isolation, one listener; so many jobs at once, in so many bytes of memory (0: what is free)."""

    def __init__(self, store: Store, isolation: Isolation, report: Report, *, slots: int = 1, memory: int = 0) -> None:
        self._maker = Maker(store, isolation, report)
        self._judge = Judge(self._maker)
        self._report = report
        self._isolation = isolation
        self._slots = slots
        self._memory = memory
        self._told = False

    def run(self, plan: Plan, *, alone: bool = False) -> dict[str, StoredObject]:
        """The results of all steps, by step id; `alone`: one after the other, so that what they measure is theirs.

        Raises:
            BertbuildError: the first failure, in the order of time.
        """
        new, steps = self.jobs().of_steps(plan)
        self.execute(new, models=[plan.model], slots=1 if alone else self._slots)
        return {name: job.made for name, job in steps.items()}

    def build(self, plan: Plan, probes: File) -> list[Built]:
        """Make the plan's targets; each is judged, and named if it passes.

        Raises:
            BertbuildError: the first failure; targets that passed keep their names.
            ParityError: a target does not answer like its source.
        """
        new, gates = self.jobs().of_targets(plan, probes)
        self.execute(new, models=[plan.model], slots=self._slots)
        return [gate.built for gate in gates if gate.built is not None]

    def jobs(self) -> Jobs:
        """An empty set of jobs over the engine's store and isolation."""
        return Jobs(self._maker, self._judge)

    def execute(
        self, jobs: Iterable[Job], *, models: list[str], slots: int = 0, keep_going: bool = False
    ) -> list[BertbuildError]:
        """Run jobs, and what follows from them.

        Args:
            jobs: in the order in which they are begun where nothing else decides.
            models: what they are about, for people to know.
            slots: how many at once; 0: the engine's.
            keep_going: whether jobs that do not need a failed one are begun, and failures given instead of raised.

        Raises:
            BertbuildError: the first failure, unless `keep_going`.
        """
        budget = MemoryBudget(self._memory)
        if not self._told:
            self._report(run_event(self._isolation.name, models, slots or self._slots, budget.limit))
            self._told = True
        scheduler = Scheduler(
            Teller(self._report),
            slots=slots or self._slots,
            fits=budget.fits,
            keep_going=keep_going,
            cancel=self._maker.end,
        )
        try:
            scheduler.run(jobs)
        finally:
            self._maker.measured.save()
        if scheduler.failures and not keep_going:
            raise scheduler.failures[0]
        return scheduler.failures

    def stored(self, order: Order, write: Callable[[Path], None]) -> StoredObject:
        """A result that the host makes itself: the store's, or what `write` puts into the `out` of its work folder."""
        return self._maker.stored(order, write)

    def run_again(self, step: Step, results: Mapping[str, StoredObject], destination: Path) -> None:
        """Run a step whether or not the store has its result; what it writes becomes `destination`, a new folder."""
        self.prepare(STAGES[step.stage].backend)
        inputs = {name: source if isinstance(source, File) else results[source] for name, source in step.inputs.items()}
        self._maker.run_again(step, inputs, destination)

    def prepare(self, backend: str) -> None:
        """Make a backend's environment if it is not as it should be."""
        if not self._maker.is_ready(backend):
            self._maker.prepare(backend)
