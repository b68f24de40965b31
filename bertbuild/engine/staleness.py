"""What a build would do, and why: each job's result looked for in the store, and nothing made.

A step's key is known as soon as the results it is made from are there. Where they are not, what is known of its key
still tells whether the store could have its result: if nothing in it fits, the step is sure to run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bertbuild import keys
from bertbuild.engine.gate import NO_DEVICE, PARITY, judged_by
from bertbuild.engine.history import History, Past
from bertbuild.engine.jobs import EnvironmentJob, GateJob, Jobs, StageJob, needed_steps
from bertbuild.engine.order import Order
from bertbuild.engine.remote_object import RemoteObject
from bertbuild.errors import StoreError
from bertbuild.json_text import parse_json
from bertbuild.places import PLACES
from bertbuild.plans.carrying import TEXT
from bertbuild.plans.plan import File, Plan, Step, Target
from bertbuild.store.store import Store, StoredObject

if TYPE_CHECKING:
    from bertbuild.remote.statement import Statement

UP_TO_DATE = "up to date"
WOULD_RUN = "would run"
MAY_RUN = "may run"
"""What it reads is made again first; if that comes out as it once did, the store has the result."""

NOT_CHECKED = "not checked"
"""Made in a place that cannot be asked now: nothing else is another than it was."""

REMOTE = "in the remote store"
"""It would be brought from there, or left there where no file of it is needed."""

SHARED = "shared"
"""Another job would make the same result."""

FAILED = "failed"
"""Of a gate: its verdict is kept, and is no good one."""

BLOCKED = "blocked"
"""A gate that it waits for has failed."""

NEW = "new"
GONE = "its result is gone"
NOT_THERE = "not there"
UNLIKE = "it does not answer like its source"

PARAMETER, INPUT, CODE, ENVIRONMENT = "parameter", "input", "code", "environment"
FORMAT = "key format"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A component of a key that is another one than it was.

    Attributes:
        kind: `PARAMETER`, `INPUT`, `CODE`, `ENVIRONMENT`, or `FORMAT`: another version of bertbuild made the key, whose
            digest of code and facts about the environment are of another kind and are not compared.
        name: of the parameter, the input, or the fact about the environment; empty for code and key format.
        old: value or digest then; None where there was none.
        new: value or digest now; None where there is none.
        made_by: of an input, the job whose result it is; empty for a file.
        file: of an input that lies on disk, what lies there now.
    """

    kind: str
    name: str
    old: str | None
    new: str | None
    made_by: str = ""
    file: File | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What would become of a job.

    Attributes:
        job: its id.
        kind: "environment", "stage" or "gate".
        model: whose it is; empty for environments.
        name: its step's id in the plan, `PARITY`, or a backend.
        stage: its stage; empty for environments.
        state: one of the constants above.
        key: its result's; None where it is not known before `awaits` are made.
        reason: in words, where it is not a change of a component.
        changes: the components that differ from those of `past`.
        awaits: (name of the input or `ENVIRONMENT`, job), of what is made again first.
        past: the last result, which it is compared with; None where there is none.
        own: whether `past` is of this very step, and not merely the one most like it.
    """

    job: str
    kind: str
    model: str
    name: str
    stage: str
    state: str
    key: str | None = None
    reason: str = ""
    changes: tuple[Change, ...] = ()
    awaits: tuple[tuple[str, str], ...] = ()
    past: Past | None = None
    own: bool = False


class Checker:
    """Checks the jobs of plans. All plans are best added before the first check, which looks for all that was built."""

    def __init__(self, jobs: Jobs, store: Store, isolation: str, *, mute: str = "") -> None:
        """`isolation` is the name of the one that a build would run stages in; `mute` of one that made results and
        cannot be asked now, whose results no build makes again unless told to.
        """
        self.history = History(store)
        self._isolation = isolation
        self._mute = mute
        self._jobs, self._store = jobs, store
        self._checks: dict[str, Check] = {}
        self._symbols: dict[str, str] = {}
        self._first: dict[str, str] = {}
        self._needed: dict[str, list[str]] = {}
        self._serves: dict[str, list[tuple[str, Target, Step]]] = {}

    def add_targets(self, plan: Plan, probes: File) -> list[str]:
        """The jobs that a plan's targets need, and their gates: ids, each after what it needs.

        Raises:
            UsageError: another target has the name of one of them already.
        """
        return self.add_gates(self._jobs.of_targets(plan, probes)[1])

    def add_gates(self, gates: Iterable[GateJob]) -> list[str]:
        """The same of targets whose jobs are among the checker's already, each being made of those before it."""
        found: list[str] = []
        for gate in gates:
            steps = gate.plan.needed(*needed_steps(gate.plan, gate.target))
            for job, step in zip(gate.made_by, steps, strict=True):
                self._serves.setdefault(job.id, []).append((gate.model, gate.target, step))
                found += [f"environment {job.backend}", job.id]
            found.append(gate.id)
            self._needed[gate.id] = list(dict.fromkeys(found))
        return list(dict.fromkeys(found))

    def needed(self, model: str, target: str) -> list[str]:
        """What `add_targets` gave of a target that was added, be it on the way to another one; else nothing."""
        return self._needed.get(f"{model}/{target} {PARITY}", [])

    def check(self, job_id: str) -> Check:
        """What would become of a job that was added."""
        if job_id not in self._checks:
            self._checks[job_id] = self._checked(self._jobs.ids[job_id])
        return self._checks[job_id]

    def needs(self, job_id: str) -> tuple[str, ...]:
        """The jobs that a job waits for."""
        return self._jobs.ids[job_id].needs

    def result(self, job: StageJob) -> StoredObject | None:
        """What a job makes, if the store has it."""
        self.check(job.id)
        return job.result

    def _checked(self, job: EnvironmentJob | StageJob | GateJob) -> Check:
        match job:
            case EnvironmentJob():
                state, reason = (UP_TO_DATE, "") if job.is_ready() else (WOULD_RUN, NOT_THERE)
                if self._mute:
                    state, reason = NOT_CHECKED, self._why_not_checked
                return Check(
                    job=job.id, kind=ENVIRONMENT, model="", name=job.backend, stage="", state=state, reason=reason
                )
            case StageJob():
                return self._stage(job)
            case GateJob():
                return self._gate(job)

    def _stage(self, job: StageJob) -> Check:
        maker, step = self._jobs.maker, job.step
        ready = self.check(f"environment {job.backend}").state == UP_TO_DATE
        parts = {
            "stage": step.stage,
            "code": maker.code(step.stage),
            "environment": maker.environment(job.backend, job.made_by) if ready else None,
            "params": step.params,
        }
        check = Check(job=job.id, kind="stage", model=job.model, name=step.id, stage=step.stage, state=UP_TO_DATE)
        return self._looked_for(check, job, job.sources, parts)

    def _gate(self, job: GateJob) -> Check:
        check = Check(job=job.id, kind="gate", model=job.model, name=PARITY, stage=PARITY, state=UP_TO_DATE)
        if not job.can_answer:
            return replace(check, reason=NO_DEVICE)
        params = judged_by(job.plan, job.target)
        parts = {"stage": PARITY, "code": self._jobs.judge.code, "environment": {}, "params": params}
        return self._looked_for(check, job, job.asked, parts)

    def _looked_for(
        self, check: Check, job: StageJob | GateJob, sources: Mapping[str, StageJob | File], parts: dict[str, Any]
    ) -> Check:
        """The check of a job whose inputs are `sources`; `parts` is what else its key is made of, None if not known."""
        parts = {"format": keys.KEY_FORMAT, **parts, "inputs": {name: self._digest(sources[name]) for name in sources}}
        awaits = tuple(self._awaited(job, sources, parts))
        key, damage = None, ""
        if not awaits:
            key = job.order.key
            found, damage = self._stored(job.order)
            if found is not None:
                return _done(replace(check, key=key), job, found)
            if not damage and (statement := self._jobs.maker.stated_elsewhere(job.order)) is not None:
                return self._elsewhere(replace(check, key=key), job, statement)
        past, own = self._past(job, parts)
        changes = tuple(self._changes(past, parts, sources)) if past else ()
        if own and past is not None and self._is_mute(past, changes, dict(awaits)):
            with contextlib.suppress(StoreError):
                found = self._store.peek(past.place)
                return _done(
                    replace(check, state=NOT_CHECKED, key=past.key, reason=self._why_not_checked, past=past, own=True),
                    job,
                    found,
                )
        reason = damage or _reason(past, own=own, key=key, explained=bool(changes or awaits))
        state, because = self._state(job, parts, key, dict(awaits))
        if state == WOULD_RUN and key is None and past is not None and own and self._fits(parts):
            state = MAY_RUN
        return replace(
            check,
            state=state,
            key=key,
            reason=because or reason,
            changes=changes,
            awaits=awaits,
            past=past,
            own=own,
        )

    def _elsewhere(self, check: Check, job: StageJob | GateJob, statement: Statement) -> Check:
        """The check of a result that the remote store has; one that an earlier build left there is up to date."""
        elsewhere = self._jobs.maker.elsewhere
        if isinstance(job, StageJob):
            job.result = RemoteObject(statement, self._store.objects / job.order.stage / job.order.key, _not_brought)
        is_kept = elsewhere is not None and elsewhere.is_kept(job.order.stage, job.order.key)
        return replace(check, state=UP_TO_DATE if is_kept else REMOTE, reason=elsewhere.address if elsewhere else "")

    def _awaited(
        self, job: StageJob | GateJob, sources: Mapping[str, StageJob | File], parts: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        if parts["environment"] is None and isinstance(job, StageJob):
            yield ENVIRONMENT, f"environment {job.backend}"
        for name, source in sources.items():
            if isinstance(source, StageJob) and parts["inputs"][name] is None:
                yield name, source.id

    def _digest(self, source: StageJob | File) -> str | None:
        """What is known of an input."""
        if isinstance(source, File):
            return source.digest
        result = self.result(source)
        return None if result is None else result.digest

    def _stored(self, order: Order) -> tuple[StoredObject | None, str]:
        """The result, or what is wrong with it. Unlike `Store.find` it notes no use: to ask is not to need."""
        path = self._store.objects / order.stage / order.key
        if not path.exists():
            alike = (
                None
                if not order.backend or TEXT in order.parts["params"]
                else self._store.alike(order.stage, order.parts)
            )
            return alike, ""
        try:
            return self._store.peek(path), ""
        except StoreError:
            return None, f"its result is damaged: {self._store.problem(path)}"

    def _state(
        self, job: StageJob | GateJob, parts: dict[str, Any], key: str | None, awaits: Mapping[str, str]
    ) -> tuple[str, str]:
        """The state of a job whose result is not there, and why, if that is no matter of its key."""
        # A result that is not there yet is known by what it will be made from, in the place of its digest.
        inputs = {name: digest or self._symbols[awaits[name]] for name, digest in parts["inputs"].items()}
        symbol = self._symbols[job.id] = key or keys.digest({**parts, "inputs": inputs})
        failed = next((need for need in job.needs if self.check(need).state in (FAILED, BLOCKED)), None)
        if failed is not None:
            return BLOCKED, f"after {failed}, which has failed"
        first = self._first.setdefault(symbol, job.id)
        if first != job.id:
            return SHARED, f"as {first}"
        return WOULD_RUN, ""

    def _is_mute(self, past: Past, changes: Iterable[Change], awaits: Mapping[str, str]) -> bool:
        """Whether only what its place would tell, which cannot be asked, may have outdated a result."""
        return (
            bool(self._mute)
            and past.isolation == self._mute
            and set(awaits) <= {ENVIRONMENT}
            and all(change.kind == ENVIRONMENT for change in changes)
        )

    @property
    def _why_not_checked(self) -> str:
        return f"{PLACES[self._mute].title} cannot be asked"

    def _fits(self, parts: Mapping[str, Any]) -> bool:
        """Whether the store has a result that could be the one, if what is not known of its key turns out so."""
        fitting = self.history.fitting(parts["stage"], parts)
        return any(parts["environment"] is not None or self._made_alike(past) for past in fitting)

    def _made_alike(self, past: Past) -> bool:
        return past.isolation in ("", self._isolation)

    def _past(self, job: StageJob | GateJob, parts: Mapping[str, Any]) -> tuple[Past | None, bool]:
        own = self._own_past(job)
        return (own, True) if own else (self.history.nearest(parts["stage"], parts), False)

    def _own_past(self, job: StageJob | GateJob) -> Past | None:
        """The last result of a step: on the record of a target, else as what a target or a later step was made from."""
        if isinstance(job, GateJob):
            return self.history.of_gate(job.model, job.target)
        recorded = [
            past
            for model, target, step in self._serves.get(job.id, ())
            if (past := self.history.of_step(model, target, step))
        ]
        if recorded:
            return max(recorded, key=lambda past: past.made)
        return self.history.of_source(job.model, job.step.stage) or self._past_that_was_read(job)

    def _past_that_was_read(self, job: StageJob) -> Past | None:
        readers = [reader for reader in self._jobs.ids.values() if isinstance(reader, StageJob)]
        read_as = [(reader, name) for reader in readers for name, source in reader.sources.items() if source is job]
        for reader, name in read_as:
            past = self._own_past(reader)
            if past is not None and name in past.inputs:
                return self.history.of_digest(job.step.stage, past.inputs[name])
        return None

    def _changes(
        self, past: Past, parts: Mapping[str, Any], sources: Mapping[str, StageJob | File]
    ) -> Iterator[Change]:
        """What is known to differ; what is not known, then or now, does not count.

        Of another format's key a parameter that one of both versions does not know is no change either.
        """
        other_format = past.format not in (None, keys.KEY_FORMAT)
        if other_format:
            yield Change(kind=FORMAT, name="", old=str(past.format), new=str(keys.KEY_FORMAT))
        for change in _differing(PARAMETER, past.params, parts["params"]):
            if not other_format or None not in (change.old, change.new):
                yield change
        yield from _other_inputs(past, parts["inputs"], sources)
        if other_format:
            return
        if past.code not in (None, parts["code"]):
            yield Change(kind=CODE, name="", old=past.code, new=parts["code"])
        if not self._made_alike(past):
            yield Change(kind=ENVIRONMENT, name="isolation", old=past.isolation, new=self._isolation)
        elif past.environment is not None and parts["environment"] is not None:
            yield from _differing(ENVIRONMENT, past.environment, parts["environment"])


def _not_brought() -> StoredObject:
    """What is looked at is not brought.

    Raises:
        AssertionError: always.
    """
    raise AssertionError("a check does not bring results")


def _done(check: Check, job: StageJob | GateJob, found: StoredObject) -> Check:
    if isinstance(job, StageJob):
        job.result = found
    elif not parse_json((found.path / "parity.json").read_text(encoding="utf-8"))["passed"]:
        return replace(check, state=FAILED, reason=UNLIKE)
    return check


def _reason(past: Past | None, *, own: bool, key: str | None, explained: bool) -> str:
    if past is None or not own:
        return NEW
    return GONE if past.key == key or not explained else ""


def _other_inputs(
    past: Past, inputs: Mapping[str, str | None], sources: Mapping[str, StageJob | File]
) -> Iterator[Change]:
    for name in _names(past.inputs, inputs):
        old, new, source = past.inputs.get(name), inputs.get(name), sources.get(name)
        is_known = (name in past.inputs or past.code is not None) and (new is not None or name not in inputs)
        if is_known and old != new:
            made_by = source.id if isinstance(source, StageJob) else ""
            file = source if isinstance(source, File) else None
            yield Change(kind=INPUT, name=name, old=old, new=new, made_by=made_by, file=file)


def _differing(kind: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in _names(old, new):
        if old.get(name) != new.get(name):
            yield Change(kind=kind, name=name, old=old.get(name), new=new.get(name))


def _names(old: Iterable[str], new: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*new, *old)))
