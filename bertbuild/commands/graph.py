"""graph: the jobs behind targets, and what would become of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bertbuild.commands.forecast import UNKNOWN, Forecast, ModelForecast, looking
from bertbuild.commands.result import Result
from bertbuild.commands.selection import add_all, add_named, find
from bertbuild.commands.session import Session
from bertbuild.engine.staleness import UP_TO_DATE
from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.report.graphs import FORMATS, MODEL, STAGE, TARGET, Node, draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn(Result):
    """The jobs behind targets, and the drawing of them in a format."""

    format: str
    jobs: tuple[Node, ...]
    text: str

    def facts(self) -> dict[str, Any]:
        """Without the text, which is the event's lines."""
        return {name: value for name, value in super(Drawn, self).facts().items() if name != "text"}


def graph(session: Session, names: Sequence[str], file: str, format_: str) -> Drawn:
    """Draw what is named, or all; nothing but the drawing is printed.

    Raises:
        UsageError: no such format; nothing has a name that was given; there is nothing to draw.
    """
    if format_ not in FORMATS:
        raise UsageError(
            f"--format must be one of {', '.join(FORMATS)} (got {format_!r}){did_you_mean(format_, FORMATS)}",
            next_step="--help explains --format.",
        )
    build_file = find(session, file)
    with looking(session) as forecast:
        if names:
            add_named(session, forecast, build_file, names)
        else:
            add_all(session, forecast, build_file)
        found: dict[str, Node] = {}
        for node in (node for model in _bases_first(forecast) for node in _nodes(forecast, model)):
            found.setdefault(node.job, node)  # models of one checkpoint share jobs
        nodes = list(found.values())
    if not nodes:
        raise UsageError(
            "There is nothing to draw: no build file is here, and nothing is built yet.",
            next_step="Name a build file with --file, or build something first: invoke build-ir --model minilm-l6",
        )
    lines = tuple(draw(nodes, format_))
    return session.result(Drawn(format=format_, jobs=tuple(nodes), text="\n".join(lines)), *lines)


def _bases_first(forecast: Forecast) -> list[ModelForecast]:
    """The models, each after the one that it is trained from."""
    found: dict[str, ModelForecast] = {}

    def add(model: ModelForecast) -> None:
        if model.base:
            add(forecast.models[model.base])
        found.setdefault(model.name, model)

    for model in forecast.models.values():
        add(model)
    return list(found.values())


def _nodes(forecast: Forecast, model: ModelForecast) -> Iterator[Node]:
    """What makes a model, the model, and what is made of it, each after what it needs."""
    made_by = list(_steps(forecast, model.jobs, (model.base,) if model.base else ()))
    state = model.because or (f"{model.first} first" if model.first else UP_TO_DATE)
    needs = (made_by[-1].job,) if made_by else (model.base,) if model.base else ()
    yield from made_by
    yield Node(job=model.name, kind=MODEL, model=model.name, name=model.name, state=state, needs=needs)
    jobs = list(dict.fromkeys(job for target in model.targets for job in target.jobs))
    yield from _steps(forecast, jobs, (model.name,))
    for target in model.targets:
        name = f"{model.name}/{target.name}"
        if not target.jobs:
            yield Node(
                job=name,
                kind=TARGET,
                model=model.name,
                name=f"target {target.name}",
                state=UNKNOWN,
                needs=(model.name,),
            )


def _steps(forecast: Forecast, jobs: Sequence[str], begin: tuple[str, ...]) -> Iterator[Node]:
    """Nodes of jobs; those that need no other need `begin`. Environments, which all need, are left out."""
    drawn = {check.job for check in forecast.checks(jobs) if check.model}
    for check in forecast.checks(jobs):
        if check.model:
            needs = tuple(need for need in forecast.checker.needs(check.job) if need in drawn) or begin
            name = check.job.removeprefix(f"{check.model}/")
            is_target = check.kind == "gate"
            name = f"target {name.removesuffix(check.stage).rstrip()}" if is_target else name
            kind = TARGET if is_target else STAGE
            yield Node(job=check.job, kind=kind, model=check.model, name=name, state=check.state, needs=needs)
