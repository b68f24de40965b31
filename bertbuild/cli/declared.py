"""Commands made of declared parameters: each is a flag, with its help, and how its text is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bertbuild.cli.flags import number, truth, whole_number
from bertbuild.cli.frame import running
from bertbuild.cli.task import Task
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Real, Truth, Value, Whole

Values = dict[str, Any]
"""What was given, by the names of parameters; nothing of what was not."""

FRAME = ("json", "isolation", "offline", "replace", "reference", "mirror")
"""Flags that `running` takes under their own names."""

FROM = "from"
"""Another one: a word of Python's, which `running` knows as `local`, the setting's name."""


def declared(
    name: str,
    about: str,
    parameters: Iterable[Parameter],
    frame: Iterable[Parameter],
    run: Callable[[Session, Values], None],
    *,
    example: str = "",
) -> Task:
    """A command.

    Args:
        name: as it is typed.
        about: what it does, a sentence.
        parameters: its own flags.
        frame: flags of `cli.flags` that are about how it runs.
        run: what it does with what was given.
        example: flags to show how it is typed.
    """
    own = {one.name: one for one in parameters}
    told = [*own.values(), *frame]

    def function(**given: Any) -> None:
        framed = {one.name: given.pop(_in_python(one)) for one in frame}
        with running(**_settings(framed)) as session:
            run(session, read_flags(own, given))

    function.__doc__ = about
    function.__signature__ = inspect.Signature([_as_python(one) for one in told])  # type: ignore[attr-defined]
    return Task(
        name=name,
        function=function,
        help={one.flag: help_text(one) for one in told},
        parameters={one.flag: one for one in told},
        example=example,
        optional=tuple(_in_python(one) for one in told if isinstance(one.type, Truth) and not is_switch(one)),
    )


def read_flags(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> Values:
    """The values of flags, as requests take them.

    Raises:
        UsageError: a text is none of its parameter's type.
    """
    return {
        one.name: _read(one, given[name])
        for name, one in ((_in_python(one), one) for one in parameters.values())
        if given.get(name) is not None
    }


def is_switch(parameter: Parameter) -> bool:
    """Whether its flag takes no value."""
    return isinstance(parameter.type, Truth) and parameter.unset is False and not parameter.type.valued


def help_text(parameter: Parameter) -> str:
    """What help says of a flag: what it means, and what holds where it is not given."""
    if parameter.default in (None, "") or isinstance(parameter.type, Truth):
        return parameter.about
    return f"{parameter.about} (default: {parameter.default})"


def _read(parameter: Parameter, given: str | bool) -> Value | None:
    flag, text = parameter.flag, str(given)
    if isinstance(parameter.type, Truth):
        return given if isinstance(given, bool) else truth(flag, text)
    if isinstance(parameter.type, Whole):
        return whole_number(flag, text)
    if isinstance(parameter.type, Real):
        return number(flag, text)
    return text


def _in_python(parameter: Parameter) -> str:
    return "from_" if parameter.name == FROM else parameter.name


def _as_python(parameter: Parameter) -> inspect.Parameter:
    default = False if is_switch(parameter) else None
    return inspect.Parameter(_in_python(parameter), inspect.Parameter.KEYWORD_ONLY, default=default)


def _settings(framed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `running`."""
    given = {name: framed[name] for name in FRAME if framed.get(name) is not None}
    return given | ({"local": framed[FROM]} if framed.get(FROM) is not None else {})
