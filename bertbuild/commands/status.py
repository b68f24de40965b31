"""status: what is built, what is not, and what a build would make again."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.commands.forecast import Forecast, TargetForecast, looking
from bertbuild.commands.result import Result
from bertbuild.commands.selection import add_all, find
from bertbuild.commands.session import Session, shown
from bertbuild.engine.jobs import needed_steps
from bertbuild.engine.staleness import NOT_CHECKED, REMOTE, UP_TO_DATE
from bertbuild.errors import BertbuildError, StoreError
from bertbuild.json_text import parse_json
from bertbuild.plural import number_of
from bertbuild.report.checks import in_short
from bertbuild.report.counts import counted
from bertbuild.stages import FACTS, MANIFEST
from bertbuild.store.past_runs import outcomes
from bertbuild.store.records import Record
from bertbuild.store.store import Store, StoredObject

STALE, FAILED, MISSING = "stale", "failed", "missing"
BUILT, NOT_VERIFIED = "built", "not verified"
COLUMNS = ["model", "target", "state", "built", "took", "size", "max abs", "judged by", "judged on", "path"]

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """What is known of a target.

    Attributes:
        model: what it is made of.
        target: its name.
        state: "built", "not verified", "not checked", "stale", "missing", "failed", "unnamed" or
            "damaged".
        built: when, as "2024-05-01 12:30"; empty where it is not.
        seconds: how long the runs took that made it.
        bytes: of its files.
        max_abs: the largest absolute difference from the source's answers, None where there is no figure.
        allowed: how large it may be.
        references: the TensorFlows that ran the source.
        instructions: of the processor that it was compared on.
        key: of the result, empty where there is none.
        path: where it is, or its name in out/ would be; as people type it from here.
        damage: what is wrong with its files.
        because: why it is not up to date.
        head_assumed: whether it gives the answers of a head whose kind nothing tells.
    """

    model: str
    target: str
    state: str
    built: str
    seconds: float | None
    bytes: int
    max_abs: float | None
    allowed: float | None
    references: Sequence[str]
    instructions: str
    key: str
    path: str
    damage: Sequence[str]
    because: Sequence[str]
    head_assumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Result):
    """Every target that a build file names or that was ever built."""

    targets: tuple[TargetStatus, ...]


def status(session: Session, file: str) -> Status:
    """Show every target that a build file names or that was ever built: its state, when, how long, size, figure."""
    build_file = find(session, file)
    with looking(session) as forecast:
        records = {(record.model, record.target.name): record for record in add_all(session, forecast, build_file)}
        store = forecast.session.store
        ended, took = outcomes(store.root / "runs"), _Seconds(store)
        unknown = _why_unknown(session, forecast)
        facts = []
        for target in forecast.targets:
            name = target.model, target.name
            fact = _fact(store, target, records.get(name), took)
            facts.append(
                _not_checked(fact, unknown) if unknown else _as_of_now(fact, forecast, target, ended.get(name, {}))
            )
    if facts:
        title = f"targets in {store.root}"
        session.report({"event": "table", "title": title, "columns": COLUMNS, "rows": [_row(fact) for fact in facts]})
    return session.result(Status(targets=tuple(TargetStatus(**fact) for fact in facts)), *_lines(facts))


def _why_unknown(session: Session, forecast: Forecast) -> str:
    """Why it cannot be told what would run, "" where it can: the engine that images are asked of may not answer."""
    try:
        for target in forecast.targets:
            forecast.state(target)
    except BertbuildError as error:
        session.report({"event": "warning", "text": f"what is stale cannot be determined: {error}"})
        return str(error)
    return ""


def _not_checked(fact: Facts, because: str) -> Facts:
    """The same where nobody can tell what would run."""
    return fact | ({"state": NOT_CHECKED, "because": [because]} if fact["state"] in (BUILT, NOT_VERIFIED) else {})


def _fact(store: Store, target: TargetForecast, record: Record | None, took: _Seconds) -> Facts:
    """What the store and the record say."""
    link = store.root / "out" / target.model / target.name
    fact: Facts = {"model": target.model, "target": target.name, "state": MISSING, "built": "", "seconds": None}
    fact |= {
        "bytes": 0,
        "max_abs": None,
        "allowed": None,
        "references": [],
        "instructions": "",
        "key": "",
        "path": shown(link),
        "damage": [],
        "because": [],
        "head_assumed": record is not None and bool(record.target.assumed),
    }
    if record is None:
        return fact
    stage, key = record.results[record.target.step]
    path = store.objects / stage / key
    published = path / MANIFEST  # the folder's own time is that of its last use
    stored: StoredObject | None = None
    try:
        stored = store.peek(path)
    except StoreError as error:
        fact["damage"] = [str(error)]
    named = link.is_symlink() and os.path.realpath(link) == os.path.realpath(path)
    fact["state"] = _state(record, stored, path, named=named)
    replaced = store.names.replaced(target.model, target.name) if named else ""
    if replaced and fact["state"] in (BUILT, NOT_VERIFIED):
        fact |= {"state": STALE, "because": [replaced]}
    fact["key"] = key
    fact["path"] = shown(link if named and stored else path)
    if published.exists():
        fact["built"] = time.strftime("%Y-%m-%d %H:%M", time.localtime(published.stat().st_mtime))
        fact["seconds"] = took.of(record)
    if stored is not None:
        fact["bytes"] = sum(entry["bytes"] for entry in stored.manifest["files"].values())
    if record.verdict is not None:
        fact |= {"max_abs": record.verdict.worst.as_json()["max_abs"], "allowed": record.verdict.worst.limit}
        fact |= {"references": list(record.verdict.references), "instructions": record.verdict.instructions}
    return fact


def _state(record: Record, stored: StoredObject | None, path: Path, *, named: bool) -> str:
    if stored is None:
        return "damaged" if path.exists() else MISSING
    if record.verdict is not None and not record.verdict.passed:
        return FAILED
    if not named:
        return "unnamed"
    return BUILT if record.verdict else NOT_VERIFIED


def _as_of_now(fact: Facts, forecast: Forecast, target: TargetForecast, ended: Mapping[str, Any]) -> Facts:
    """The same with what would run now, and with a last run that failed."""
    changed = [check for check in forecast.checks(forecast.jobs([target])) if check.state != UP_TO_DATE]
    because = [f"{check.name}: {in_short(check)}" for check in changed]
    state = fact["state"]
    if (changed or target.because) and ended.get("state") in (FAILED, "skipped"):
        state = FAILED
        because.insert(0, f"last run: {ended.get('message') or str(ended.get('because')) + ' failed'}")
    elif changed and state == MISSING and all(check.state == REMOTE for check in changed):
        state = REMOTE
    elif changed and state in (BUILT, NOT_VERIFIED, "unnamed"):
        state = NOT_CHECKED if all(check.state == NOT_CHECKED for check in changed) else STALE
    return {**fact, "state": state, "because": [*fact["because"], *filter(None, [target.because]), *because]}


def _row(fact: Facts) -> list[str]:
    worst = fact["max_abs"]
    return [
        fact["model"],
        fact["target"],
        fact["state"],
        fact["built"] or "–",
        "–" if fact["seconds"] is None else f"{fact['seconds']:.0f} s",
        f"{fact['bytes'] / 1e6:.1f} MB" if fact["key"] else "–",
        f"{worst:.1e} of {fact['allowed']:.0e}" if worst is not None else "no figure" if fact["key"] else "–",
        ", ".join(fact["references"]) or "–",
        fact["instructions"] or "–",
        fact["path"] if fact["key"] else "–",
    ]


def _lines(facts: list[Facts]) -> list[str]:
    if not facts:
        return ["nothing is built yet: invoke build-ir --model minilm-l6"]
    told = next((fact for fact in facts if fact["state"] in (STALE, FAILED) and fact["because"]), None)
    lines = [f"{number_of(len(facts), 'target')}: {counted(fact['state'] for fact in facts)}"]
    assumed = [f"{fact['model']}/{fact['target']}" for fact in facts if fact["head_assumed"]]
    if assumed:
        lines.append(f"nothing tells of what kind the head is, which --head KIND says, of: {', '.join(assumed)}")
    return lines + ([f"for instance: invoke why {told['model']}/{told['target']}"] if told else [])


class _Seconds:
    """How long the last runs took of what targets were made from."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, str], float] = {}

    def of(self, record: Record) -> float:
        """Seconds of all steps of a target; of one that was made on another machine, as that one said."""
        steps = record.plan.needed(record.target.step, *needed_steps(record.plan, record.target))
        results = {record.results[step.id] for step in steps if step.id in record.results}
        return round(sum(self._of_result(*result) for result in results), 3)

    def _of_result(self, stage: str, key: str) -> float:
        if (stage, key) not in self._known:
            self._known[stage, key] = 0.0
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                text = (self._store.objects / stage / key / FACTS).read_text(encoding="utf-8")
                self._known[stage, key] = float(parse_json(text)["seconds"])
        return self._known[stage, key]
