"""The logs of a target's stages: which results it is made of is on its record, or in the log of its last run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bertbuild.json_text import parse_json
from bertbuild.plans.plan import File
from bertbuild.stages import PROVENANCE, STAGES
from bertbuild.store.past_runs import events_of, log_name, short
from bertbuild.store.records import Record, read_records
from bertbuild.store.store import Store

Results = dict[str, list[tuple[str, str]]]
"""By MODEL/TARGET, the stage and key of each result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLog:
    """The log of the run that made a result.

    Attributes:
        stage: the stage.
        key: the result's.
        when: as in the log's file name, YYYYMMDD-HHMMSS; "" where there is no log.
        path: the log, None where there is none.
    """

    stage: str
    key: str
    when: str = ""
    path: Path | None = None


def results_by_target(store: Store) -> Results:
    """By MODEL/TARGET, the (stage, key) of all results backends made for it when it was last built, well or not."""
    found: Results = {}
    sources: Results = {}
    written: dict[str, float] = {}
    for record in read_records(store):
        name = f"{record.model}/{record.target.name}"
        sources[name] = [(stage, key) for stage, key in _sources(store, record) if stage in STAGES]
        found[name] = [*sources[name], *((stage, key) for stage, key in record.results.values() if stage in STAGES)]
        written[name] = (store.root / "targets" / f"{name}.json").stat().st_mtime
    for path in sorted((store.root / "runs").glob("*.jsonl")):
        ended = path.stat().st_mtime
        for name, results in _of_run(path).items():
            if ended >= written.get(name, 0.0):
                found[name] = [*(result for result in sources.get(name, ()) if result not in results), *results]
    return found


def _sources(store: Store, record: Record) -> list[tuple[str, str]]:
    """The results that a target's sources are, as an import or a training, and what these were made from."""
    given = [source.path for step in record.plan.steps for source in step.inputs.values() if isinstance(source, File)]
    within = [path.relative_to(store.objects).parts for path in given if path.is_relative_to(store.objects)]
    wanted = [(stage, key) for stage, key, *_ in within]
    found: list[tuple[str, str]] = []
    while wanted:
        stage, key = wanted.pop()
        if (stage, key) not in found:
            found.append((stage, key))
            wanted += _made_from(store.objects / stage / key / PROVENANCE)
    return found


def _made_from(statement: Path) -> list[tuple[str, str]]:
    """The results that a result was made from, as its statement says; none where it has no statement."""
    try:
        value = parse_json(statement.read_text(encoding="utf-8"))
        inputs = value["predicate"]["buildDefinition"]["resolvedDependencies"]
        named = [entry.get("annotations", {}) for entry in inputs]
        return [(str(entry["stage"]), str(entry["key"])) for entry in named if {"stage", "key"} <= entry.keys()]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _of_run(path: Path) -> Results:
    events = events_of(path)
    targets: dict[str, list[str]] = {}
    jobs = [job for event in events if event["event"] == "graph" for job in event.get("jobs", ())]
    for job in jobs:
        model = job.get("model", "")
        targets[job["job"]] = [name if "/" in name else f"{model}/{name}" for name in job.get("targets", ())]
    of_models: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for names in targets.values() for name in names):
        of_models.setdefault(name.partition("/")[0], []).append(name)
    for job in jobs:  # what makes a model, as an import, is known before its targets are: it is done for all of them
        targets[job["job"]] = targets[job["job"]] or of_models.get(job.get("model", ""), [])
    found: Results = {}
    for event in events:
        if event["event"] == "stage" and "key" in event and event["stage"] in STAGES:
            for name in targets.get(event.get("job", ""), ()):
                result = (event["stage"], event["key"])
                if result not in found.setdefault(name, []):
                    found[name].append(result)
    return found


def logs_of(store: Store, results: Iterable[tuple[str, str]]) -> list[StageLog]:
    """The last log of each result, those without one first, the newest last."""
    latest: dict[str, tuple[str, Path]] = {}
    for path in sorted(store.logs.glob("*.log")):
        if (name := log_name(path)) is not None:
            latest[name[1]] = (name[0], path)
    found = []
    for stage, key in dict.fromkeys(results):
        known = latest.get(short(stage, key))
        found.append(StageLog(stage=stage, key=key, when=known[0] if known else "", path=known[1] if known else None))
    return sorted(found, key=lambda log: log.when)


def last_log(store: Store, stage: str) -> StageLog | None:
    """The newest log of a stage, whatever it was run for."""
    found = None
    for path in sorted(store.logs.glob(f"*-{stage}-*.log")):
        known = log_name(path)
        if known is not None and known[1].rpartition("/")[0] == stage:
            found = StageLog(stage=stage, key=known[1].rpartition("/")[2], when=known[0], path=path)
    return found
