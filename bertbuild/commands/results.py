"""verify and status: what is built, and whether it still answers like its source."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from bertbuild.errors import CheckpointError, ParityError, StoreError, UsageError
from bertbuild.parity import Verdict, compare
from bertbuild.plan import File
from bertbuild.records import Record, read_records
from bertbuild.session import Session, shown
from bertbuild.store import StoredObject


def verify(session: Session, model: str, target: str) -> None:
    """Hash every byte of what is built, run source and target again, and compare their answers anew.

    Raises:
        StoreError: a result is damaged.
        ParityError: a target does not answer like its source; its name is taken away.
    """
    records = list(read_records(session.store, model, target))
    if not records:
        wanted = " ".join(filter(None, (model, target))) or "that can be verified"
        raise UsageError(f"Nothing is built {wanted}.", next_step="Build it first: invoke build-ir --model minilm-l6")
    # A work folder without a lock would count as a crash's, and be removed by the next command that starts.
    with session.store.lock("verify", str(os.getpid()), on_wait=lambda _: None) as folder:
        verdicts = [(record, _judge_again(session, record, folder)) for record in records]
    failed = [(record, verdict) for record, verdict in verdicts if not verdict.passed]
    for record, _ in failed:
        session.store.unlink(record.model, record.target.name)
    if failed:
        record, verdict = failed[0]
        worst = verdict.worst
        raise ParityError(
            f"{record.target.name} of {record.model} does not answer like its source: {worst.sentence}.",
            next_step="See the table above; its name in out/ is taken away.",
        )
    session.result(
        {"verified": [{"model": record.model, "target": record.target.name} for record in records]},
        f"verified: {len(records)} of {len(records)} targets answer like their source",
    )


def _judge_again(session: Session, record: Record, folder: Path) -> Verdict:
    """Fresh answers of source and target, compared; a source asked once answers for all its targets."""
    store, target = session.store, record.target
    results = {step_id: store.load(store.objects / stage / key) for step_id, (stage, key) in record.results.items()}
    reference = record.step(target.reference)
    _check_source(record)
    answers = {}
    for step in (reference, record.step(target.answers)):
        answers[step.id] = folder / results[step.id].key
        if not answers[step.id].exists():
            session.engine.run_again(step, results, answers[step.id])
    probes = reference.inputs["probes"]
    assert isinstance(probes, File)  # noqa: S101 - plans give probes as a file
    verdict = compare(
        answers[reference.id] / "answers.npz",
        answers[target.answers] / "answers.npz",
        json.loads(probes.path.read_text(encoding="utf-8"))["probes"],
        target.precision,
    )
    session.report(
        {"event": "verdict", "model": record.model, "target": target.name, "show_table": True, **verdict.as_json()}
    )
    return verdict


def _check_source(record: Record) -> None:
    for source in record.step(record.target.reference).inputs.values():
        if isinstance(source, File) and not source.path.exists():
            raise CheckpointError(
                f"The source of {record.model}, {source.path}, is no longer there, so nothing can be compared with it.",
                next_step="Bring it back, or build the target again from where it is now.",
            )


def status(session: Session) -> None:
    """Show every target: whether its bytes are as published, when it was built, its size, its parity figure."""
    rows: list[list[str]] = []
    facts: list[dict[str, Any]] = []
    for record in read_records(session.store):
        fact = _fact(session, record)
        facts.append(fact)
        rows.append(
            [
                fact["model"],
                fact["target"],
                fact["state"],
                fact["built"] or "–",
                f"{fact['bytes'] / 1e6:.1f} MB",
                f"{worst:.1e} of {fact['allowed']:.0e}" if (worst := fact["max_abs"]) is not None else "no figure",
                fact["path"],
            ]
        )
    if rows:
        columns = ["model", "target", "state", "built", "size", "max abs", "path"]
        title = f"targets in {session.store.root}"
        session.report({"event": "table", "title": title, "columns": columns, "rows": rows})
    session.result({"targets": facts}, *([] if rows else ["nothing is built yet: invoke build-ir --model minilm-l6"]))


def _fact(session: Session, record: Record) -> dict[str, Any]:
    store = session.store
    stage, key = record.results[record.target.step]
    path = store.objects / stage / key
    link = store.root / "out" / record.model / record.target.name
    stored: StoredObject | None = None
    damage: list[str] = []
    try:
        stored = store.peek(path)
    except StoreError as error:
        damage.append(str(error))
    worst = record.verdict.worst
    if stored is None:
        state = "damaged" if path.exists() else "missing"
    elif not record.verdict.passed:
        state = "failed"
    else:
        state = "built" if link.is_symlink() and link.resolve() == path else "unnamed"
    return {
        "model": record.model,
        "target": record.target.name,
        "state": state,
        "built": time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime)) if path.exists() else "",
        "bytes": sum(entry["bytes"] for entry in stored.manifest["files"].values()) if stored else 0,
        "max_abs": worst.as_json()["max_abs"],
        "allowed": worst.limit,
        "key": key,
        "path": shown(link if state == "built" else path),
        "damage": damage,
    }
