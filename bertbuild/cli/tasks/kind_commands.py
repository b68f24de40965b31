"""The commands that make the targets of one source, from the table of kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import FROM, ISOLATION, JSON, MIRROR, OFFLINE, REPLACE
from bertbuild.cli.task import Task
from bertbuild.commands.session import Session
from bertbuild.kinds import KINDS
from bertbuild.kinds.kind import REFERENCE, Command, Kind, Request
from bertbuild.parameters import Parameter, check_value, parameters_of, picked
from bertbuild.plans.wanted import NAMING, Wanted
from bertbuild.toml.values import Choice


def target_tasks() -> list[Task]:
    """A task for each command that makes a kind of targets, in the order of the kinds."""
    commands = {kind.command.name: kind.command for kind in KINDS.values()}
    return [
        target_task(command, [kind for kind in KINDS.values() if kind.command.name == command.name])
        for command in commands.values()
    ]


def target_task(command: Command, kinds: list[Kind]) -> Task:
    """The task of a command.

    Args:
        command: its declaration.
        kinds: the kinds that it makes; all but one are chosen by the value of a flag.
    """
    fetches = "model" in command.sources
    frame = [*((FROM, MIRROR) if fetches else ()), ISOLATION, OFFLINE, REPLACE]
    if any(kind.has_reference for kind in kinds):
        frame.append(REFERENCE)

    chosen = {name for kind in kinds for name in kind.chosen}
    flags = list(_flags(command, kinds))

    def run(session: Session, values: Values) -> None:
        for one in flags:
            if one.name in chosen:  # the words of the other kinds are unknown to this request
                check_value(one.flag, values.get(one.name, one.default), one.type)
        copied = str(values.get(command.copied.name, "")) if command.copied else ""
        from bertbuild.commands.target import build

        build(session, Wanted(**picked(Wanted, values)), _request(kinds, values), copy_to=copied)

    return declared(command.name, command.about, lambda: flags, [*frame, JSON], run, example=command.example)


def _flags(command: Command, kinds: list[Kind]) -> Iterator[Parameter]:
    sources = parameters_of(Wanted)
    naming = (*NAMING, "labels") if "checkpoint" in command.sources else ("name",)
    yield from (sources[name] for name in (*command.sources, *naming))
    if command.copied:
        yield command.copied
    found = {one.name: one for kind in kinds for one in parameters_of(kind.request).values()}
    yield from (_with_choices(one, kinds) for one in found.values())


def _with_choices(parameter: Parameter, kinds: Iterable[Kind]) -> Parameter:
    """The parameter as a flag, which may choose another kind."""
    others = {kind.chosen[parameter.name]: kind.about for kind in kinds if parameter.name in kind.chosen}
    about = "; ".join([parameter.about, *(f"{value}: {what}" for value, what in others.items())])
    options = (*parameter.type.options, *others)
    return replace(parameter, about=about, type=Choice(options)) if others else parameter


def _request(kinds: list[Kind], values: Values) -> Request:
    chosen = [kind for kind in kinds if kind.chosen and kind.chosen.items() <= values.items()]
    (kind,) = chosen or [kind for kind in kinds if not kind.chosen]
    return kind.request(**picked(kind.request, values))
