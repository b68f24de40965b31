"""Parameters: each is declared once, as a field of a request's dataclass.

Its flag, its key in bertbuild.toml, the JSON Schema, the help and the tables in docs/ are made from the declaration.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.toml.values import LARGEST, Choice, Choices, Number, Text, Type, Value, Whole

_DECLARED = "parameter"
_known: dict[type, Mapping[str, Parameter]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a request or of a command.

    Attributes:
        name: the field, which is the key in bertbuild.toml; as a flag it has dashes.
        type: what its value may be.
        about: what it means, in a line.
        default: what holds where it is not given; None where that depends, and `about` says on what.
        unset: the field's value where it is not given, which need be none of its type.
        several: whether its flag takes several values with commas. In bertbuild.toml a matrix stands for these.
        written: what help writes behind its flag; empty: by its type.
        only_for: another parameter and a value of it: with its other values this one is of no use.
    """

    name: str
    type: Type
    about: str
    default: Value | None = None
    unset: Value | None = None
    several: bool = False
    written: str = ""
    only_for: tuple[str, str] | None = None

    @property
    def flag(self) -> str:
        """As it is typed, without the dashes in front."""
        return self.name.replace("_", "-")


def parameter(
    type_: Type,
    default: Any,
    about: str,
    *,
    several: bool = False,
    written: str = "",
    only_for: tuple[str, str] | None = None,
) -> Any:
    """A field of a request that is a parameter.

    Args:
        type_: what its value may be.
        default: its value where it is not given. None, "" where that is not text, or a number below the least leaves it
            to the plan.
        about: what it means, in a line.
        several: see `Parameter`.
        written: likewise.
        only_for: likewise.
    """
    depends = default is None or (default == "" and not isinstance(type_, Text))
    depends = depends or (isinstance(type_, Whole) and default < type_.least)
    told = {"type": type_, "about": about, "default": None if depends else default, "unset": default}
    return field(
        default=default, metadata={_DECLARED: {**told, "several": several, "written": written, "only_for": only_for}}
    )


def as_declared(request: type, name: str) -> Any:
    """A field that is the parameter which another request declares."""
    (declared,) = (one for one in fields(request) if one.name == name)
    return field(default=declared.default, metadata=declared.metadata)


def parameters_of(request: type) -> Mapping[str, Parameter]:
    """The parameters that a request's dataclass declares, by name, in its order."""
    if request not in _known:
        found = [one for one in fields(request) if _DECLARED in one.metadata]
        _known[request] = {one.name: Parameter(name=one.name, **one.metadata[_DECLARED]) for one in found}
    return _known[request]


def by_name(*parameters: Parameter) -> dict[str, Parameter]:
    """Parameters by their names."""
    return {one.name: one for one in parameters}


def picked(request: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of some values those that are parameters of a request."""
    return {name: values[name] for name in parameters_of(request) if name in values}


def check(request: Any) -> None:
    """Refuse values of a request that are none of their types; its `__post_init__` calls this first.

    Raises:
        UsageError: a value is wrong; the message names its flag.
    """
    for one in parameters_of(type(request)).values():
        value = getattr(request, one.name)
        if value != one.unset:
            check_value(one.flag, value, one.type, several=one.several)


def check_value(flag: str, value: Any, type_: Type, *, several: bool = False) -> None:
    """Refuse a flag's value that is none of its type.

    Raises:
        UsageError: it is wrong.
    """
    if isinstance(type_, Choices) or (isinstance(type_, Choice) and several):
        if not isinstance(value, str):
            raise UsageError(
                f"--{flag} must be text (got {value!r}).", next_step="Join several with commas, for instance 'a,b'."
            )
        check_choice(flag, value.split(","), type_.options)
    elif isinstance(type_, Choice):
        check_choice(flag, (value,), type_.options)
    elif isinstance(type_, Whole):
        _check_whole(flag, value, type_)
    elif isinstance(type_, Number):
        _check_number(flag, value, type_)


def check_choice(flag: str, values: Iterable[str], allowed: tuple[str, ...]) -> None:
    """Refuse a flag's value that is none of the allowed ones."""
    for value in values:
        if value not in allowed:
            known = ", ".join(filter(None, allowed))
            raise UsageError(
                f"--{flag} must be one of {known} (got {value!r}){did_you_mean(str(value), allowed)}",
                next_step=f"--help explains --{flag}.",
            )


def _check_whole(flag: str, value: Any, type_: Whole) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"--{flag} must be {type_.words} (got {value!r}).", next_step=f"--help explains --{flag}.")
    if value < type_.least:
        raise UsageError(
            f"--{flag} must be at least {type_.least} (got {value}).", next_step=f"--help explains --{flag}."
        )
    if value > LARGEST:
        raise UsageError(f"--{flag} must be at most {LARGEST} (got {value}).", next_step=f"--help explains --{flag}.")


def _check_number(flag: str, value: str | float, type_: Number) -> None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not type_.holds(number):
        raise UsageError(f"--{flag} must be {type_.words} (got {value}).", next_step=f"--help explains --{flag}.")
