"""What the store adds to a run's log: versions, memory, log tails, and the figures of targets that were up to date."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertbuild.errors import StoreError
from bertbuild.json_text import parse_json
from bertbuild.report.html import words
from bertbuild.report.html.run import FAILED, INTERRUPTED, TAIL, UNFINISHED, Job, Run, number
from bertbuild.stages import FACTS, MANIFEST
from bertbuild.store.logs import logs_of
from bertbuild.store.records import read_records
from bertbuild.store.store import Store

TAIL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one stored result, by whichever run made it.

    Attributes:
        environment: what pins its environment in its key: an image, or a lock file and an interpreter.
        python: the interpreter's version, empty where no stage ran.
        packages: versions by name.
        peak_memory: bytes, None where it is not known.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    peak_memory: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Facts and log tails by job, verdicts by model and target."""

    facts: Mapping[str, Facts] = field(default_factory=dict)
    tails: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)


def gather(run: Run, store: Store) -> Evidence:
    """Read what the store has of a run. What is no longer there, or cannot be read, is left out."""
    facts = {job.id: found for job in run.jobs.values() if (found := _facts(store, job)) is not None}
    stopped = [job for job in run.jobs.values() if job.state in (FAILED, INTERRUPTED, UNFINISHED)]
    tails = {job.id: tail for job in stopped if (tail := _tail(store, job))}
    verdicts: dict[tuple[str, str], Mapping[str, Any]] = {}
    for target in run.targets.values():
        if target.verdict is None and target.key:
            verdict = _verdict(store, target.model, target.name, target.key)
            if verdict is not None:
                verdicts[target.model, target.name] = verdict
    return Evidence(facts=facts, tails=tails, verdicts=verdicts)


def _facts(store: Store, job: Job) -> Facts | None:
    if not (job.key and job.stage):
        return None
    folder = store.objects / Path(job.stage).name / Path(job.key).name
    manifest, stage = _json(folder / MANIFEST), _json(folder / FACTS)
    components = manifest.get("components")
    environment = components.get("environment") if isinstance(components, dict) else None
    if not (environment or stage):
        return None
    return Facts(
        environment=_strings(environment),
        python=str(stage.get("python") or ""),
        packages=_strings(stage.get("packages")),
        peak_memory=number(stage.get("peak_memory_bytes")),
    )


def _tail(store: Store, job: Job) -> str:
    """The last lines of a job's log, which lies in the store's own folder wherever the run's log says it lay."""
    path = store.logs / Path(job.log).name if job.log else None
    if path is None and job.stage and job.key:
        path = logs_of(store, [(job.stage, job.key)])[-1].path
    if path is not None:
        with contextlib.suppress(OSError), path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return "\n".join(words.log_lines(file.read().decode("utf-8", "replace"))[-TAIL:])
    return "\n".join(job.said)


def _verdict(store: Store, model: str, target: str, key: str) -> Mapping[str, Any] | None:
    """The verdict on record, if it is of this very result."""
    with contextlib.suppress(StoreError):
        for record in read_records(store, Path(model).name, Path(target).name):
            made = record.results.get(record.target.step)
            if record.verdict is not None and made is not None and made[1] == key:
                return record.verdict.as_json()
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}
