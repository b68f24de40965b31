"""Commands as they are declared: a function, whose parameters are flags. What Invoke needs is made of them elsewhere.

Invoke takes longer to load than a build with nothing to do takes to run, so what a right command line needs is here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bertbuild.parameters import Parameter

NAMES = "names"
"""The parameter that gets a tuple of all words on the command line that are not flags, nor values of flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A parameter of a command, as the command line sees it; read as Invoke reads it.

    Attributes:
        parameter: its name in Python.
        kind: `str`, `bool` (takes no value) or `list` (may be given more than once).
        default: its value where it is not given.
        optional: whether its value may be left out, which is then True.
    """

    parameter: str
    kind: type
    default: Any
    optional: bool

    @property
    def name(self) -> str:
        """As it is typed, without the dashes in front."""
        return self.parameter.strip("_").replace("_", "-")

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        return self.kind is not bool

    @property
    def value(self) -> Any:
        """Its value where it is not given."""
        return [] if self.kind is list else self.default


@dataclass(frozen=True, kw_only=True)
class Task:
    """A command.

    Attributes:
        name: as it is typed.
        function: what it does.
        help: a sentence on each flag.
        iterable: parameters that may be given more than once.
        optional: parameters whose value may be left out.
        parameters: the declarations of its flags, by their names as they are typed.
        example: flags to show how it is typed.
    """

    name: str
    function: Callable[..., None]
    help: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    example: str = ""
    iterable: tuple[str, ...] = ()
    optional: Collection[str] = ()

    @cached_property
    def signature(self) -> inspect.Signature:
        """Of the function."""
        return inspect.signature(self.function)

    @property
    def takes_names(self) -> bool:
        """Whether words that are not flags are names, as many as are typed."""
        return NAMES in self.signature.parameters

    @cached_property
    def flags(self) -> dict[str, Flag]:
        """Its flags, as they are typed."""
        found = [self._flag(parameter) for name, parameter in self.signature.parameters.items() if name != NAMES]
        return {f"--{flag.name}": flag for flag in found}

    def _flag(self, parameter: inspect.Parameter) -> Flag:
        name, default = parameter.name, parameter.default
        optional = name in self.optional
        kind = list if name in self.iterable else bool if isinstance(default, bool) else str
        return Flag(parameter=name, kind=kind, default=default, optional=optional)
