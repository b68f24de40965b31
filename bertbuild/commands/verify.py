"""verify: whether what is built still answers like its source."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.commands.result import Result
from bertbuild.commands.runtime import asked_by
from bertbuild.commands.selection import built, require_names
from bertbuild.commands.session import Session
from bertbuild.engine.events import Asked
from bertbuild.engine.gate import NO_DEVICE, PARITY, can_answer, made_for, verdict_on, with_processor
from bertbuild.engine.jobs import needed_steps
from bertbuild.errors import CheckpointError, NotVerifiedError, ParityError, StoreError
from bertbuild.gate.parity import Verdict
from bertbuild.plans.placing import backend_of
from bertbuild.plans.plan import File
from bertbuild.plural import are, number_of
from bertbuild.store.opened import changed, manifests_of
from bertbuild.store.records import Record, read_records, write_record


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedTarget:
    """A target whose files are whole, and which answers like its source."""

    model: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Result):
    """All targets that were asked for."""

    verified: tuple[VerifiedTarget, ...]


def verify(session: Session, names: Sequence[str], runtime: str = "") -> Verified:
    """Hash every byte of what is built, run source and target again, and compare their answers again.

    A verdict that was reached on another instruction set gives way to this one.

    Args:
        session: of the command.
        names: models, targets, model/target, or patterns of these; empty for all.
        runtime: the backend that answers instead: another version, as `openvino@2026.4`, or `hf-torch`; "" for the
            one on record. What it answers is told: records and names stay as they are.

    Raises:
        UsageError: nothing is built, a name is nothing's, or the runtime cannot answer for it.
        MisledNameError: a name in out/ leads elsewhere than to the result on record of it.
        StoreError: a result is damaged, or was changed together with its manifest.
        ParityError: a target does not answer like its source; its name is taken away.
        NotVerifiedError: a target could not be run on this machine; all others answer like their source.
    """
    records = built(session.store, names)
    require_names(session.store, names)
    _require_recorded(session, records)
    records = asked_by(records, runtime, named=bool(names))
    session.engine.begin(Asked(models=list(dict.fromkeys(record.model for record in records))))
    session.report({"event": "graph", "jobs": list(_jobs(records))})
    there, elsewhere = _parted(session, records)
    # A work folder without a lock would count as a crash's, and be removed by the next command that starts.
    with session.store.lock("verify", str(os.getpid()), on_wait=lambda _: None) as folder:
        verdicts = [(record, _judge_again(session, record, folder, keep=not runtime)) for record in there]
    failed = [(record, verdict) for record, verdict in verdicts if not verdict.passed]
    by = f" by {runtime}" if runtime else ""
    for record, verdict in verdicts:
        session.report(_ended(record, verdict))
        if not verdict.passed and not runtime:
            session.store.unlink(record.model, record.target.name)
    if failed:
        record, verdict = failed[0]
        worst = verdict.worst
        raise ParityError(
            f"{record.target.name} of {record.model} does not answer like its source{by}: {worst.sentence}.",
            next_step=made_for(record.plan, record.target, verdict)
            + f"See the table above; its name in out/ {'stays' if runtime else 'is taken away'}.",
        )
    all_of = number_of(len(records), "target")
    verified = f"{len(there)} of {all_of} {are(len(there), 'answers like its', 'answer like their')} source{by}"
    if elsewhere:
        raise NotVerifiedError(
            f"{verified}; not verified: {', '.join(f'{record.model} {record.target.name}' for record in elsewhere)}: "
            f"{NO_DEVICE}.",
            next_step="Run invoke verify on an Inf1 instance, over the same artifacts folder.",
        )
    return session.result(
        Verified(verified=tuple(VerifiedTarget(model=it.model, target=it.target.name) for it in records)),
        f"verified: {verified}",
    )


def _require_recorded(session: Session, records: Iterable[Record]) -> None:
    """Refuse results that were changed since they were recorded, with manifest and statement."""
    manifests = manifests_of(read_records(session.store))
    for record in records:
        for path, problem in changed(session.store, record, manifests):
            raise StoreError(
                f"{record.model}/{record.target.name}: {problem}.",
                next_step=f"If you did not make it again, remove {path} and build the target again; "
                "a build also records what was made again.",
            )


def _jobs(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """What verify looks at and runs, as the rows of an event "graph": a row for each step and each gate."""
    rows: dict[str, dict[str, Any]] = {}
    for record in records:
        name = f"{record.model}/{record.target.name}"
        made_by = record.plan.needed(*needed_steps(record.plan, record.target))
        for step in made_by:
            needs = [_job(record, source) for source in step.inputs.values() if isinstance(source, str)]
            facts = {"kind": "stage", "stage": step.stage, "id": step.id, "backend": backend_of(step), "needs": needs}
            row = rows.setdefault(_job(record, step.id), {**facts, "model": record.model, "targets": []})
            row["targets"].append(name)
        needs = [_job(record, step.id) for step in made_by]
        facts = {"kind": "gate", "stage": PARITY, "model": record.model, "needs": needs, "targets": [name]}
        rows[f"{name} {PARITY}"] = facts
    return ({"job": job, **row} for job, row in rows.items())


def _job(record: Record, step: str) -> str:
    return f"{record.model}/{step}"


def _ended(record: Record, verdict: Verdict) -> dict[str, Any]:
    """The event "target" of one that was judged."""
    _, key = record.results[record.target.step]
    event = {"event": "target", "model": record.model, "target": record.target.name, "key": key}
    event["job"] = f"{record.model}/{record.target.name} {PARITY}"
    if not verdict.passed:
        return {**event, "state": "failed", "message": f"{verdict.worst.sentence}"}
    return {
        **event,
        "state": "up to date",
        "max_abs": verdict.worst.as_json()["max_abs"],
        "allowed": verdict.worst.limit,
    }


def _parted(session: Session, records: list[Record]) -> tuple[list[Record], list[Record]]:
    """The records whose targets can be run on this machine, and the others."""
    there, elsewhere = [], []
    for record in records:
        if can_answer(record.plan, record.target):
            there.append(record)
        else:
            elsewhere.append(record)
            named = {"model": record.model, "target": record.target.name}
            session.report({"event": "unverified", **named, "reason": NO_DEVICE})
            session.report({"event": "target", **named, "state": "not verified", "message": NO_DEVICE})
    return there, elsewhere


def _judge_again(session: Session, record: Record, folder: Path, *, keep: bool) -> Verdict:
    """Fresh answers of source and target, compared; a source asked once answers for all its targets.

    With `keep` the verdict takes the place of one that was reached on another instruction set.
    """
    store, target = session.store, record.target
    results = {}
    for step_id, (stage, key) in record.results.items():
        _bring_if_elsewhere(session, stage, key)
        results[step_id] = store.load(store.objects / stage / key)
        if step_id not in target.asked:  # its answers are what is asked again
            told = {"id": step_id, "job": _job(record, step_id), "model": record.model}
            session.report({"event": "stage", "stage": stage, "key": key, "state": "cached", **told})
    reference = record.plan.step(target.reference)
    _check_source(record)
    answers = {}
    for step in map(record.plan.step, target.asked):
        asked = {
            name: results[source].key if isinstance(source, str) else source.digest
            for name, source in step.inputs.items()
        }
        answers[step.id] = folder / keys.digest(
            {"stage": step.stage, "backend": backend_of(step), "params": step.params, "inputs": asked}
        )
        if not answers[step.id].exists():
            told = {"job": _job(record, step.id), "model": record.model}
            session.engine.run_again(step, results, answers[step.id], told)
    probes = reference.inputs["probes"]
    assert isinstance(probes, File)  # noqa: S101 - plans give probes as a file
    files = {step: path / "answers.npz" for step, path in answers.items()}
    verdict = with_processor(verdict_on(record.plan, target, files, probes), answers[target.answers])
    session.report(
        {"event": "verdict", "model": record.model, "target": target.name, "show_table": True, **verdict.as_json()}
    )
    known = record.verdict
    elsewhere = known is None or known.instructions != verdict.instructions  # asked on another machine, if at all
    if keep and elsewhere:
        write_record(store, record.plan, target, results, verdict.as_json())
    return verdict


def _bring_if_elsewhere(session: Session, stage: str, key: str) -> None:
    """Bring a result that a build left in the remote store; what is lost is another matter."""
    store = session.store
    if session.remote is None or (store.objects / stage / key).exists() or not store.elsewhere(stage, key).exists():
        return
    from bertbuild.remote.bringing import bring

    bring(session.remote, store, stage, key, on_wait=lambda text: session.report({"event": "note", "text": text}))
    store.elsewhere(stage, key).unlink(missing_ok=True)


def _check_source(record: Record) -> None:
    for source in record.plan.step(record.target.reference).inputs.values():
        if isinstance(source, File) and not source.path.exists():
            raise CheckpointError(
                f"The source of {record.model}, {source.path}, is gone, so nothing can be compared with it.",
                next_step="Bring it back, or build the target again from where it is now.",
            )
