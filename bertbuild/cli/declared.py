"""Commands made of declared parameters: each is a flag, with its help, and how its text is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from keyword import iskeyword
from typing import Any

from bertbuild.cli.flags import number, truth, whole_number
from bertbuild.cli.frame import running
from bertbuild.cli.task import NAMES, Task
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Real, Truth, Value, Whole

Values = dict[str, Any]
"""What was given, by the names of parameters; nothing of what was not."""

FRAME = ("json", "isolation", "offline", "replace", "reference", "mirror", "jobs", "memory", "fetch", "scheduler")
"""Flags that `running` takes under their own names."""

FILE = "file"
RENAMED = {"from": "local", FILE: "build_file"}
"""Others, and its names for them."""


def declared(
    name: str,
    about: str,
    parameters: Callable[[], Iterable[Parameter]],
    frame: Iterable[Parameter],
    run: Callable[[Session, Values], None],
    *,
    example: str = "",
    iterable: tuple[str, ...] = (),
    names: str = "",
) -> Task:
    """A command.

    Args:
        name: as it is typed.
        about: what it does, a sentence.
        parameters: gives its own flags; called when they are first looked at, for what declares them is long to load.
        frame: flags of `cli.flags` that are about how it runs. The build file is also among what was given.
        run: what it does with what was given.
        example: flags to show how it is typed.
        iterable: flags of its own that may be given more than once; their values are lists.
        names: a sentence on the words that it takes without a flag, which are a tuple among what was given; empty where
            it takes none.
    """
    function = _Function(about, parameters, tuple(frame), run, names)
    return Task(
        name=name,
        function=function,
        help=_Late(lambda: {one.flag: help_text(one) for one in function.told}),
        parameters=_Late(lambda: {one.flag: one for one in function.told}),
        optional=_Late(lambda: {_in_python(one): one for one in function.told if _is_optional(one)}),
        example=example,
        iterable=iterable,
    )


class _Function:
    """What a command calls; its parameters are those that are declared."""

    def __init__(
        self,
        about: str,
        parameters: Callable[[], Iterable[Parameter]],
        frame: tuple[Parameter, ...],
        run: Callable[[Session, Values], None],
        names: str,
    ) -> None:
        self.__doc__ = "\n\n".join(filter(None, (about, names)))
        self._parameters, self._frame, self._run, self._names = parameters, frame, run, names

    def __call__(self, **given: Any) -> None:
        framed = {one.name: given.pop(_in_python(one), None) for one in self._frame}
        also = {name: value for name, value in (*framed.items(), *given.items()) if name in (FILE, NAMES) and value}
        with running(**_settings(framed)) as session:
            self._run(session, read_flags(self.own, given) | also)

    @cached_property
    def own(self) -> dict[str, Parameter]:
        """Its own flags."""
        return {one.name: one for one in self._parameters()}

    @property
    def told(self) -> list[Parameter]:
        """All its flags."""
        return [*self.own.values(), *self._frame]

    @property
    def __signature__(self) -> inspect.Signature:
        names = [inspect.Parameter(NAMES, inspect.Parameter.KEYWORD_ONLY, default=())] if self._names else []
        return inspect.Signature([*names, *map(_as_python, self.told)])


class _Late(Mapping[str, Any]):
    """A mapping that is made when it is first looked at."""

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, Any]:
        return self._make()

    def __getitem__(self, name: str) -> Any:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


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


def _is_optional(parameter: Parameter) -> bool:
    """Whether its flag may stand without its value, which is then yes."""
    return isinstance(parameter.type, Truth) and not is_switch(parameter)


def help_text(parameter: Parameter) -> str:
    """What help says of a flag: what it means, and what holds where it is not given."""
    if parameter.default in (None, "") or isinstance(parameter.type, Truth):
        return parameter.about
    return f"{parameter.about} (default: {parameter.default})"


def _read(parameter: Parameter, given: str | bool | list[str]) -> Value | list[str] | None:
    if isinstance(given, list):
        return given
    flag, text = parameter.flag, str(given)
    if isinstance(parameter.type, Truth):
        return given if isinstance(given, bool) else truth(flag, text)
    if isinstance(parameter.type, Whole):
        return whole_number(flag, text)
    if isinstance(parameter.type, Real):
        return number(flag, text)
    return text


def _in_python(parameter: Parameter) -> str:
    return f"{parameter.name}_" if iskeyword(parameter.name) else parameter.name


def _as_python(parameter: Parameter) -> inspect.Parameter:
    default = False if is_switch(parameter) else None
    return inspect.Parameter(_in_python(parameter), inspect.Parameter.KEYWORD_ONLY, default=default)


def _settings(framed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `running`."""
    names = dict(zip(FRAME, FRAME, strict=True)) | RENAMED
    return {names[name]: value for name, value in framed.items() if value is not None}
