"""why: what would run for a target or of a stage, and which components of its key changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertbuild.commands.forecast import Forecast, TargetForecast, looking
from bertbuild.commands.result import Result
from bertbuild.commands.selection import add_all, add_named, find, is_known
from bertbuild.commands.session import Session
from bertbuild.engine.gate import PARITY
from bertbuild.engine.history import changed_files
from bertbuild.engine.staleness import ENVIRONMENT, UP_TO_DATE, Change, Check
from bertbuild.errors import UsageError
from bertbuild.plural import number_of
from bertbuild.report.checks import SHOWN_DIGITS, Files, as_json, in_full
from bertbuild.report.columns import TAB
from bertbuild.report.counts import counted
from bertbuild.stages import STAGES

STAGE_NAMES = (*STAGES, PARITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why(Result):
    """Why steps would run.

    Attributes:
        steps: of each step its job, state, key, reason and what changed in its key, as `why --json` tells.
        targets: of each target its model, name, state, and jobs.
    """

    steps: tuple[Mapping[str, Any], ...]
    targets: tuple[Mapping[str, Any], ...]


def why(session: Session, names: Sequence[str], file: str) -> Why:
    """Say of each step of targets, or of stages, whether it would run, and why.

    Args:
        session: of the command.
        names: models, targets, model/target, or patterns of these, or stages alone; empty for all targets.
        file: the build file; empty for the folder's.

    Raises:
        UsageError: nothing has such a name; stages and targets are named together; there is nothing.
    """
    build_file = find(session, file)

    def files(check: Check, change: Change) -> tuple[str, ...]:
        if check.past is None or change.file is None:
            return ()
        return changed_files(check.past, change.name, change.file, session.store.digests)

    with looking(session) as forecast:
        stages = [name for name in names if name in STAGE_NAMES and not is_known(session, build_file, name)]
        _check(names, stages)
        if stages or not names:
            add_all(session, forecast, build_file)
        else:
            add_named(session, forecast, build_file, names, STAGE_NAMES)
        checks = forecast.checks(forecast.jobs(forecast.targets))
        if stages:
            checks = [check for check in checks if check.stage in stages]
            of_each = {name: [check for check in checks if check.stage == name] for name in stages}
            lines = [line for name in stages for line in _of_stage(name, of_each[name], files)]
        else:
            lines = list(_of_targets(" ".join(names), forecast, files))
        targets = [_as_json(forecast, target) for target in forecast.targets]
    steps = tuple(as_json(check, files) for check in checks)
    return session.result(Why(steps=steps, targets=tuple(targets)), *lines)


def _check(names: Sequence[str], stages: Sequence[str]) -> None:
    if stages and len(stages) < len(names):
        other = next(name for name in names if name not in stages)
        raise UsageError(
            f"{stages[0]} is a stage, and {other} is not.",
            next_step="Ask of stages and of targets one after the other.",
        )


def _of_targets(names: str, forecast: Forecast, files: Files) -> Iterator[str]:
    targets = forecast.targets
    if not targets:
        raise UsageError(
            "There are no targets: no build file is here, and nothing is built yet.",
            next_step="Name a build file with --file, or build something first: invoke build-ir --model minilm-l6",
        )
    if all(forecast.state(target) == UP_TO_DATE for target in targets):
        one = f"{targets[0].model}/{targets[0].name}"
        few = f"{one} is" if len(targets) == 1 else f"{number_of(len(targets), 'target')}{names and f' of {names}'} are"
        yield f"nothing would run: {few} up to date"
        return
    told: set[str] = set()
    for target in targets:
        checks = forecast.checks(forecast.jobs([target]))
        yield f"{target.model}/{target.name}: {_in_all(target, checks)}"
        if forecast.state(target) != UP_TO_DATE:
            yield from _of_steps(checks, told, files)


def _in_all(target: TargetForecast, checks: Sequence[Check]) -> str:
    if target.because:
        return target.because
    return counted(check.state for check in checks if check.kind != ENVIRONMENT)


def _of_steps(checks: Sequence[Check], told: set[str], files: Files) -> Iterator[str]:
    """A line for each step; what was told already (`told`), of another target, is not explained once more."""
    shown = [check for check in checks if check.kind != ENVIRONMENT or check.state != UP_TO_DATE]
    for check in shown:
        words = list(in_full(check, files)) if check.job not in told and check.state != UP_TO_DATE else []
        again = ["as above"] if check.job in told and check.state != UP_TO_DATE else []
        first, *more = words or again or [(check.key or check.reason)[:SHOWN_DIGITS] if check.key else check.reason]
        yield TAB.join((f"  {_called(check)}", check.state, first))
        yield from (TAB.join(("", "", line)) for line in more)
        told.add(check.job)


def _of_stage(name: str, checks: Sequence[Check], files: Files) -> Iterator[str]:
    if not checks:
        yield f"no target has a step {name}"
        return
    changed = [check for check in checks if check.state != UP_TO_DATE]
    if not changed:
        yield f"nothing would run: {len(checks)} × {name}, all up to date"
        return
    yield f"{name}: {counted(check.state for check in checks)}"
    for check in changed:
        first, *more = in_full(check, files)
        yield TAB.join((f"  {check.job}", check.state, first))
        yield from (TAB.join(("", "", line)) for line in more)


def _called(check: Check) -> str:
    return check.job if check.kind == ENVIRONMENT else check.name


def _as_json(forecast: Forecast, target: TargetForecast) -> dict[str, Any]:
    return {
        "model": target.model,
        "target": target.name,
        "state": forecast.state(target),
        "because": target.because or None,
        "jobs": forecast.jobs([target]),
    }
