"""images: what stages run in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bertbuild.backends import BACKENDS, canonical
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError
from bertbuild.isolation.unlocked import unlocked
from bertbuild.names import did_you_mean
from bertbuild.plans.placing import OF_1, TF1
from bertbuild.report.columns import tabbed


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments(Result):
    """What stages run in: backend → what its environment is made of, and the place where they run."""

    environments: Mapping[str, Mapping[str, str]]
    isolation: str


def images(session: Session, backends: tuple[str, ...]) -> Environments:
    """Make the environments of some backends: images where Docker is used, else virtual environments.

    Without any named, those whose packages every index has, and TensorFlow 1's where this machine can have it; the
    others are made when asked for, or when needed.
    """
    backends = tuple(dict.fromkeys(map(canonical, backends)))
    unknown = [name for name in backends if name not in BACKENDS]
    if unknown:
        near = did_you_mean(unknown[0], BACKENDS)
        raise UsageError(f"There is no backend {unknown[0]}{near}", next_step=f"There are {', '.join(BACKENDS)}.")
    session.isolation.require()
    facts = {}
    wanted = backends or tuple(_usual(session))
    if session.settings.offline:
        session.engine.require(wanted)
    for backend in wanted:
        session.engine.prepare(backend)
        facts[backend] = session.isolation.environment(backend)
    lines = [
        tabbed([backend, *(f"{name} {value[:19]}" for name, value in fact.items())]) for backend, fact in facts.items()
    ]
    lines += session.isolation.by_hand()
    return session.result(Environments(environments=facts, isolation=session.isolation.name), *lines)


def _usual(session: Session) -> list[str]:
    without = () if session.usual_reference == OF_1 else (TF1,)
    rows = ((name, row) for name, row in BACKENDS.items() if row.usual and not row.beside)
    return [name for name, _ in rows if unlocked(name) is None and name not in without]
