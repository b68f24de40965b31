"""What a plan asks for, as jobs: environments made, steps run, targets judged; what several plans share is one job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild.engine import away
from bertbuild.engine.executor import Maker
from bertbuild.engine.gate import Built, Judge, Results, can_answer, judged_from
from bertbuild.engine.looking_ahead import Known, LookAhead
from bertbuild.engine.order import Inputs, Order
from bertbuild.engine.remote_object import RemoteObject
from bertbuild.engine.schedule import Job
from bertbuild.errors import UsageError
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import File, Plan, Step, Target
from bertbuild.store.store import StoredObject

if TYPE_CHECKING:
    from bertbuild.gate.reproducibility import Comparison

GATE_MEMORY = 300 * 10**6
"""Bytes: NumPy, and the answers of two models."""


class EnvironmentJob(Job):
    """A backend's environment."""

    def __init__(self, maker: Maker, backend: str) -> None:
        super().__init__(f"environment {backend}")
        self.backend = backend
        self._maker = maker

    def is_ready(self) -> bool:
        """Whether there is nothing to make; asks no network."""
        return self._maker.is_ready(self.backend)

    def settle(self) -> bool:
        """See `schedule.Job`. What could not be made is refused here, before other jobs run for minutes beside it.

        Raises:
            EnvironmentBuildError, ImageBuildError: packages come from an index that does not answer.
        """
        if self.is_ready():
            return True
        self._maker.require_obtainable(self.backend)
        return False

    def memory(self) -> int:
        """See `schedule.Job`."""
        return 10**9

    def run(self) -> None:
        """See `schedule.Job`."""
        self._maker.prepare(self.backend)


class StageJob(Job):
    """One step; its result is there once it is done."""

    def __init__(
        self, maker: Maker, job_id: str, model: str, step: Step, sources: Mapping[str, StageJob | File]
    ) -> None:
        self.backend = backend_of(step)
        makers = (source.id for source in sources.values() if isinstance(source, StageJob))
        super().__init__(job_id, (f"environment {self.backend}", *makers))
        self.model, self.step = model, step
        self.result: StoredObject | None = None
        self.seconds = 0.0  # that it took in this run; none where there was nothing to do
        self.has_turn = False  # whether its stage asks for its turn before it measures
        self._maker, self.sources = maker, sources
        self._order: Order | None = None
        self._brings = False  # whether nothing is left but to bring it from the remote store

    @property
    def order(self) -> Order:
        """What is to be made; known once all that it needs is done."""
        if self._order is None:
            self._order = self.order_of(self.inputs)
        return self._order

    def order_of(self, inputs: Inputs) -> Order:
        """What would be made of these inputs."""
        told = {"id": self.step.id, "job": self.id, "model": self.model}
        return self._maker.order(self.step, inputs, told)

    def order_ahead(self, known: Known, is_ready: Callable[[str], bool]) -> Order | None:
        """See `Foreseen`."""
        sources = {
            name: source if isinstance(source, File) else source.result or known.get(source.id)
            for name, source in self.sources.items()
        }
        inputs = {name: source for name, source in sources.items() if source is not None}
        return self.order_of(inputs) if len(inputs) == len(sources) and is_ready(self.backend) else None

    @property
    def inputs(self) -> Inputs:
        """Its inputs, once all that it needs is done."""
        return {name: source if isinstance(source, File) else source.made for name, source in self.sources.items()}

    @property
    def made_by(self) -> list[str]:
        """The stages that make its inputs."""
        return [source.step.stage for source in self.sources.values() if isinstance(source, StageJob)]

    @property
    def made(self) -> StoredObject:
        """Its result, once it is done."""
        assert self.result is not None, f"{self.id} is not done"  # noqa: S101 - jobs run after what they need
        return self.result

    def settle(self) -> bool:
        """See `schedule.Job`."""
        self.result = self._maker.find(self.order) or self._maker.found_elsewhere(self.order, self._make)
        self._brings = self.result is not None
        return self.result is not None and not (isinstance(self.result, RemoteObject) and self._maker.fetches_all)

    def _make(self) -> StoredObject:
        if self._maker.dispatcher is not None:
            return away.made(self._maker, self._maker.dispatcher, self.order, self.step)
        return self._maker.made(self.order, self.step, self.turn if self.has_turn else None)

    @property
    def is_away(self) -> bool:
        """See `schedule.Job`; what is to be brought is brought by this machine."""
        return self._maker.dispatcher is not None and not self._brings

    def memory(self) -> int:
        """See `schedule.Job`."""
        return self._maker.expected_memory(self.order)

    def run(self) -> None:
        """See `schedule.Job`."""
        if isinstance(self.result, RemoteObject):
            self.result = self.result.here()
            return
        began = time.monotonic()
        self.result = self._make()
        self.seconds = time.monotonic() - began
        if isinstance(self.result, RemoteObject) and self._maker.fetches_all:
            self.result = self.result.here()


class AgainJob(Job):
    """A step that is done already, run once more; its bytes, graphs and numbers are compared with the result's."""

    def __init__(self, maker: Maker, first: StageJob) -> None:
        super().__init__(f"{first.id} again")
        self.model, self.step = first.model, first.step
        self.comparison: Comparison | None = None
        self._maker, self._first = maker, first

    def memory(self) -> int:
        """See `schedule.Job`."""
        return self._first.memory()

    def run(self) -> None:
        """See `schedule.Job`."""
        from bertbuild.gate.reproducibility import compare

        told = {"id": f"{self.step.id} again", "job": self.id, "model": self.model}
        result = self._first.made.path

        def look(out: Path) -> Comparison:
            return compare(result, out, self.step.stage)

        self.comparison = self._maker.again(self.step, self._first.inputs, told, look)


class GateJob(Job):
    """A target: judged where this machine can run it; named if it may be."""

    def __init__(self, judge: Judge, plan: Plan, target: Target, steps: Mapping[str, StageJob], probes: File) -> None:
        asked = dict.fromkeys(steps[step].id for step in needed_steps(plan, target))
        super().__init__(f"{plan.model}/{target.name} parity", tuple(asked))
        self.model, self.plan, self.target = plan.model, plan, target
        self.can_answer = can_answer(plan, target)
        self.built: Built | None = None
        self._judged: StoredObject | None = None
        self._judge, self._steps, self._probes = judge, steps, probes
        self._told = {"id": f"parity {target.name}", "job": self.id, "model": plan.model}

    @property
    def results(self) -> Results:
        """The results of the plan's steps that are done."""
        return {name: job.result for name, job in self._steps.items() if job.result is not None}

    @property
    def state(self) -> str:
        """How it ended, once it is named: built, up to date, or not verified."""
        if self.built is None or self.built.verdict is None:
            return "not verified"
        return "built" if any(job.seconds for job in self.made_by) else "up to date"

    @property
    def order(self) -> Order:
        """The verdict that is wanted; known once all that it needs is done."""
        return self.order_of(self.results)

    def order_of(self, results: Results) -> Order:
        """The verdict that would be wanted of these results of the plan's steps."""
        return self._judge.order(self.plan, self.target, results, self._told)

    def order_ahead(self, known: Known, is_ready: Callable[[str], bool]) -> Order | None:  # noqa: ARG002 - no backend
        """See `Foreseen`."""
        jobs = {step: self._steps[step] for step in judged_from(self.target).values()}
        found = {step: job.result or known.get(job.id) for step, job in jobs.items()}
        results = {step: result for step, result in found.items() if result is not None}
        return self.order_of(results) if self.can_answer and len(results) == len(jobs) else None

    @property
    def asked(self) -> dict[str, StageJob]:
        """What the verdict is made from, by the names of its inputs."""
        return {name: self._steps[step] for name, step in judged_from(self.target).items()}

    @cached_property
    def made_by(self) -> list[StageJob]:
        """The jobs of all steps that the target is made from, and that ask it."""
        return [self._steps[step.id] for step in self.plan.needed(*needed_steps(self.plan, self.target))]

    def settle(self) -> bool:
        """See `schedule.Job`."""
        if not self.can_answer:
            if self._lacks_target:
                return False
            self.built = self._judge.conclude_unverified(self.plan, self.target, self.results)
            return True
        self._judged = self._judge.found(self.order) or self._judge.found_elsewhere(self.order, self._make)
        if self._judged is None or isinstance(self._judged, RemoteObject) or self._lacks_target:
            return False  # there is something to bring
        self._conclude(self._judged)
        return True

    @property
    def _lacks_target(self) -> bool:
        return self._judge.fetches and isinstance(self.results[self.target.step], RemoteObject)

    def _make(self) -> StoredObject:
        return self._judge.judge(self.order, self.plan, self.target, self.results, self._probes)

    def memory(self) -> int:
        """See `schedule.Job`."""
        return GATE_MEMORY

    def run(self) -> None:
        """See `schedule.Job`."""
        if not self.can_answer:
            self.built = self._judge.conclude_unverified(self.plan, self.target, self.results)
        else:
            self._conclude(self._judged or self._make())

    def _conclude(self, judged: StoredObject) -> None:
        self.built = self._judge.conclude(self.plan, self.target, self.results, judged)
        told = {name: value for name, value in self._told.items() if name != "id"}
        self._judge.tell(self.target, self.results, self._probes, told)


def needed_steps(plan: Plan, target: Target) -> tuple[str, ...]:
    """The steps whose results a target's gate works with."""
    return target.needed(is_asked=can_answer(plan, target))


@dataclass
class Jobs:
    """Jobs by what they do, so that what two plans have in common is done once."""

    maker: Maker
    judge: Judge
    ids: dict[str, EnvironmentJob | StageJob | GateJob] = field(default_factory=dict)
    _steps: dict[Any, StageJob] = field(default_factory=dict)
    _ahead: LookAhead | None = None

    def __post_init__(self) -> None:
        """Where there is a remote store, it is asked of all jobs whose keys are known, at once."""
        if self.maker.elsewhere is not None:
            self._ahead = self.maker.look_ahead = LookAhead(self.maker, self.maker.elsewhere)

    def _look_ahead_to(self, job: StageJob | GateJob) -> None:
        if self._ahead is not None:
            self._ahead.add(job)

    def of_steps(self, plan: Plan) -> tuple[list[Job], dict[str, StageJob]]:
        """The new jobs of all steps of a plan, and the jobs of all its steps by their ids."""
        new: list[Job] = []
        return new, self._add_steps(plan, plan.steps, {}, new)

    def of_targets(self, plan: Plan, probes: File) -> tuple[list[Job], list[GateJob]]:
        """The new jobs that a plan's targets need, each target's before the next one's; and the targets' own.

        Raises:
            UsageError: another target has the name of one of them already.
        """
        new: list[Job] = []
        gates: list[GateJob] = []
        steps: dict[str, StageJob] = {}
        for target in plan.targets:
            steps = self._add_steps(plan, plan.needed(*needed_steps(plan, target)), steps, new, gates)
            gate = GateJob(self.judge, plan, target, steps, probes)
            known = self.ids.setdefault(gate.id, gate)
            if known is gate:
                new.append(gate)
                self._look_ahead_to(gate)
            elif not isinstance(known, GateJob) or known.made_by != gate.made_by:
                raise UsageError(
                    f"Two different targets of {plan.model} are called {target.name}.",
                    next_step="Give one of them another name.",
                )
            gates.append(known)
        return new, gates

    def of_environments(self, backends: Iterable[str]) -> list[Job]:
        """The jobs that make environments, as far as there are none of them yet."""
        jobs = [EnvironmentJob(self.maker, backend) for backend in dict.fromkeys(backends)]
        new = [job for job in jobs if job.id not in self.ids]
        self.ids.update((job.id, job) for job in new)
        return list(new)

    def _add_steps(
        self,
        plan: Plan,
        wanted: Sequence[Step],
        known: Mapping[str, StageJob],
        new: list[Job],
        gates: Sequence[GateJob] = (),
    ) -> dict[str, StageJob]:
        steps = dict(known)
        for step in wanted:
            if step.id not in steps:
                steps[step.id] = self._step(plan, step, steps, new, gates)
        return steps

    def _step(
        self, plan: Plan, step: Step, steps: Mapping[str, StageJob], new: list[Job], gates: Sequence[GateJob]
    ) -> StageJob:
        sources = {name: steps[source] if isinstance(source, str) else source for name, source in step.inputs.items()}
        structure = (
            step.stage,
            backend_of(step),
            tuple(sorted(step.params.items())),
            tuple(
                (name, source.id if isinstance(source, StageJob) else (str(source.path), source.digest))
                for name, source in sorted(sources.items())
            ),
        )
        if structure in self._steps:
            return self._steps[structure]
        new += self.of_environments([backend_of(step)])
        job = StageJob(self.maker, self._free_id(f"{plan.model}/{step.id}"), plan.model, step, sources)
        job.needs += tuple(gate.id for gate in gates if _is_made_of(step, gate.target))
        self.ids[job.id] = self._steps[structure] = job
        self._look_ahead_to(job)
        new.append(job)
        return job

    def _free_id(self, wanted: str) -> str:
        number, free = 1, wanted
        while free in self.ids:
            number += 1
            free = f"{wanted}-{number}"
        return free


def _is_made_of(step: Step, target: Target) -> bool:
    """Whether a step makes something of a target, and so waits until that is proved; asking it is not a making."""
    return step.id not in target.asked and target.step in step.inputs.values()
