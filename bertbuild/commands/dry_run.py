"""build --dry-run: what a build would run, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bertbuild.buildfile.entries import BuildFile
from bertbuild.commands.forecast import UNKNOWN, Forecast, ModelForecast, looking
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.engine.staleness import ENVIRONMENT, FORMAT, UP_TO_DATE, Check
from bertbuild.errors import OfflineError
from bertbuild.plural import number_of
from bertbuild.report.checks import as_json
from bertbuild.report.columns import tabbed
from bertbuild.report.counts import counted, counts


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun(Result):
    """What a build would run.

    Attributes:
        plan: a row for each job that is not up to date, in the order in which a build comes to it: job, state, reason,
            targets, and what else `build --dry-run --json` tells.
        counts: of "steps" and of "targets": state → how many.
    """

    plan: tuple[Mapping[str, Any], ...]
    counts: Mapping[str, Mapping[str, int]]


def dry_run(session: Session, build_file: BuildFile) -> DryRun:
    """Show what a build would run, and why in a few words; nothing is run.

    Raises:
        OfflineError: the build would need the network, and must not use it; what it would run is shown before.
    """
    session.warn(build_file.warnings)
    with looking(session) as forecast:
        forecast.add_build_file(build_file)
        rows = list(_plan(forecast))
        jobs = forecast.jobs(forecast.targets) + [job for model in forecast.models for job in forecast.lineage(model)]
        checks = [check for check in forecast.checks(dict.fromkeys(jobs)) if check.kind != ENVIRONMENT]
        targets = [forecast.state(target) for target in forecast.targets]
    steps = [check.state for check in checks]
    shown = [[row["job"], row["state"], row["reason"]] for row in rows]
    _require_at_hand(session, build_file, shown)
    measured = ", ".join(model.name for model in build_file.models if model.evaluate)
    lines = [tabbed(row) for row in shown]
    of_steps = f"{counted(steps) or 'none known yet'}" if rows else f"nothing would run: {len(steps)} up to date"
    return session.result(
        DryRun(plan=tuple(rows), counts={"steps": counts(steps), "targets": counts(targets)}),
        *lines,
        *_of_another_version(checks),
        f"steps: {of_steps}",
        f"targets: {counted(targets) or 'none'}",
        *([f"then measured: {measured}"] if measured else []),
    )


def _of_another_version(checks: Iterable[Check]) -> Iterator[str]:
    """A line where results were made by another version of bertbuild, under keys of another format."""
    formats = [change for check in checks for change in check.changes if change.kind == FORMAT]
    if formats:
        yield (
            f"another version of bertbuild made {number_of(len(formats), 'result')} of these (key format "
            f"{formats[0].old}, now {formats[0].new}): they are built again, and gc removes the old ones"
        )


def _require_at_hand(session: Session, build_file: BuildFile, rows: Sequence[Sequence[str]]) -> None:
    """Refuse a build that would need the network and must not use it, the plan having been shown.

    Raises:
        OfflineError: something is missing; all of it is named.
    """
    if not session.settings.offline:
        return
    from bertbuild.commands.offline import require_for

    try:
        require_for(replace(session, only_looks=True), build_file.models)
    except OfflineError:
        session.report({"event": "table", "title": "plan", "columns": ["job", "state", "reason"], "rows": rows})
        raise


def _plan(forecast: Forecast) -> Iterator[dict[str, Any]]:
    """What is not up to date, in the order in which a build comes to it."""
    serves: dict[str, list[str]] = {}
    for target in forecast.targets:
        for job in forecast.jobs([target]):
            serves.setdefault(job, []).append(f"{target.model}/{target.name}")
    told: set[str] = set()
    for model in forecast.models.values():
        for check in forecast.checks([*forecast.lineage(model.name), *forecast.jobs(model.targets)]):
            if check.state != UP_TO_DATE and check.job not in told:
                told.add(check.job)
                yield {**as_json(check), "targets": serves.get(check.job, [])}
        yield from _unknown(model)


def _unknown(model: ModelForecast) -> Iterator[dict[str, Any]]:
    """A model whose targets are not known yet, or targets of it that cannot be planned."""
    row = {"kind": "model", "model": model.name, "state": UNKNOWN}
    unknown = {f"{target.model}/{target.name}": target.because for target in model.targets if not target.jobs}
    if model.first or model.because:
        few = "its target is" if len(unknown) == 1 else f"its {number_of(len(unknown), 'target')} are"
        then = f"; {few} known only then" if unknown else ""
        reason = model.because or ", ".join(filter(None, (f"{model.first} first", model.after))) + then
        yield {**row, "job": model.name, "reason": reason, "targets": list(unknown)}
        return
    for name, because in unknown.items():
        yield {**row, "kind": "target", "job": name, "reason": because, "targets": [name]}
