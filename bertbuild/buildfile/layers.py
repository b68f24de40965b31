"""Values on their way to a target: each knows where it stands in the file, and later layers win over earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bertbuild.errors import UsageError
from bertbuild.kinds import KINDS, kinds_with
from bertbuild.kinds.kind import Kind
from bertbuild.names import did_you_mean
from bertbuild.parameters import Parameter
from bertbuild.toml.document import Document, Place, shown, table_name
from bertbuild.toml.values import Choice, Choices, Type, Value, WrongValueError


@dataclass(frozen=True, slots=True)
class Given:
    """A value that was read, what it was before, and where it stands."""

    value: Value
    raw: object
    place: Place


Layer = dict[str, Given]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """[defaults]: for every target, and for those of a kind."""

    common: Layer
    of_kind: Mapping[str, Layer]

    def layer(self, document: Document, kind: Kind, replaced: Collection[str]) -> Layer:
        """What holds for a target of this kind that says nothing; keys in `replaced` are said by the target.

        Raises:
            UsageError: a value of [defaults] is one that other kinds take, and this one does not.
        """
        own = self.of_kind.get(kind.name, {})
        layer = {}
        for name, given in self.common.items():
            if name not in kind.parameters or name in own or name in replaced:
                continue
            layer[name] = _for_kind(document, kind, given)
        return layer | own


def read_value(document: Document, place: Place, type_: Type) -> Given:
    """The value at `place`.

    Raises:
        UsageError: it is none of this type.
    """
    raw = _raw(document, place)
    try:
        return Given(type_.read(raw), raw, place)
    except WrongValueError as error:
        raise _wrong(document, place, raw, (type_,)) from error


def read_layer(document: Document, table: Place, parameters: Mapping[str, Parameter], *others: str) -> Layer:
    """The parameters in a table; `others` are keys that it may have too, and that are read elsewhere.

    Raises:
        UsageError: it has a key that is none of them, or a value of another type.
    """
    found = document.table(table)
    known = [*others, *parameters]
    for name in found:
        if name not in known:
            raise document.unknown_key((*table, name), known, hint=_elsewhere(name))
    return {name: read_value(document, (*table, name), parameters[name].type) for name in found if name in parameters}


def read_defaults(document: Document) -> Defaults:
    """The table [defaults].

    Raises:
        UsageError: it has a key that no kind knows, or a value that no kind takes.
    """
    common: Layer = {}
    of_kind: dict[str, Layer] = {}
    for name, raw in document.table(("defaults",)).items():
        place = ("defaults", name)
        takers = kinds_with(name)
        if name in KINDS:
            of_kind[name] = read_layer(document, place, KINDS[name].parameters)
        elif takers:
            common[name] = _for_any(document, place, raw, [kind.parameters[name].type for kind in takers])
        else:
            every = dict.fromkeys(name for kind in KINDS.values() for name in kind.parameters)
            raise document.unknown_key(place, [*every, *KINDS])
    return Defaults(common=common, of_kind=of_kind)


def _raw(document: Document, place: Place) -> object:
    value: object = document.values
    for part in place:
        value = value[part]  # type: ignore[index]
    return value


def _for_any(document: Document, place: Place, raw: object, types: Iterable[Type]) -> Given:
    types = tuple(dict.fromkeys(types))
    read = [value for type_ in types if (value := _read_or_none(type_, raw)) is not None]
    if not read:
        raise _wrong(document, place, raw, types)
    return Given(read[0], raw, place)


def _read_or_none(type_: Type, raw: object) -> Value | None:
    try:
        return type_.read(raw)
    except WrongValueError:
        return None


def _for_kind(document: Document, kind: Kind, given: Given) -> Given:
    parameter = kind.parameters[str(given.place[-1])]
    try:
        return Given(parameter.type.read(given.raw), given.raw, given.place)
    except WrongValueError as error:
        raise document.refused(
            given.place,
            f'{kind.name} takes no {shown(given.raw)} as "{parameter.name}": it must be {parameter.type.words}.',
            next_step=f"Move it to the [defaults.KIND] it is meant for, or set it in [defaults.{kind.name}].",
        ) from error


def _wrong(document: Document, place: Place, raw: object, types: tuple[Type, ...]) -> UsageError:
    culprit = _culprit(raw, types)
    if culprit is not None:
        place, raw, types = (*place, culprit), raw[culprit], (Choice(_options(types)),)  # type: ignore[index]
    words = ", or ".join(dict.fromkeys(type_.words for type_ in types))
    hint = did_you_mean(raw, _options(types)) if isinstance(raw, str) else "."
    name, table = _names(place)
    return document.refused(
        place,
        f'"{name}" of {table} must be {words}, not {shown(raw)}{hint}',
        next_step=f"For a target with each of several values: matrix = {{ {name} = […] }} in [targets.NAME]."
        if isinstance(raw, list) and "matrix" not in place
        else "Mend the value.",
    )


def _culprit(raw: object, types: tuple[Type, ...]) -> int | None:
    """The first wrong word of an array that may be one."""
    if not isinstance(raw, list) or not any(isinstance(type_, Choices) for type_ in types):
        return None
    return next((index for index, word in enumerate(raw) if word not in _options(types)), None)


def _options(types: tuple[Type, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(option for type_ in types for option in type_.options))


def _names(place: Place) -> tuple[str, str]:
    """A value's key, and the table it is in."""
    keys = tuple(part for part in place if isinstance(part, str))
    return keys[-1], table_name(keys[:-1])


def _elsewhere(name: str) -> str:
    kinds = [kind.name for kind in kinds_with(name)]
    return f'"{name}" is a key of {", ".join(kinds)}.' if kinds else ""
