"""Values on their way to a target: each knows where it stands in the file, and later layers win over earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
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
NOTHING: Mapping[str, str] = {}


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
        layer: Layer = {}
        for typed, given in self.common.items():
            name = _name_in(kind, typed, given.raw)
            if not name or name in own or name in replaced:
                continue
            if name != typed and name in self.common and _is_of_others(typed):
                continue  # each of both words is there for the kinds that have it now
            if name == typed and name in kind.renamed.values() and _is_of_others(name):
                # An old file means those others by it, which alone had this word.
                old = next(old for old, new in kind.renamed.items() if new == name)
                if old not in self.common:
                    told = f'"{name}" is not for {kind.name} here in this release: there it was "{old}"'
                    document.warn(given.place, f"{told}; [defaults.{kind.name}] is its place")
                continue
            if name in layer:
                raise _both(document, given.place, layer[name].place)
            if name != typed:
                document.warn_renamed(given.place, name, of=kind.name)
            layer[name] = _for_kind(document, kind, name, given)
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


def read_layer(
    document: Document,
    table: Place,
    parameters: Mapping[str, Parameter],
    *others: str,
    renamed: Mapping[str, str] = NOTHING,
) -> Layer:
    """The parameters in a table, by their names.

    Args:
        document: the file.
        table: where the table stands.
        parameters: what it may have.
        others: keys that it may have too, and that are read elsewhere.
        renamed: old words of the parameters, and the new ones.

    Raises:
        UsageError: it has a key that is none of them, one under both of its names, or a value of another type.
    """
    found = document.table(table)
    known = [*others, *parameters]
    for name in found:
        if name not in known and name not in renamed:
            raise document.unknown_key((*table, name), known, hint=_elsewhere(name))
    return {
        name: read_value(document, (*table, typed), parameters[name].type)
        for typed, name in new_words(document, table, found, renamed)
        if name in parameters
    }


def new_words(
    document: Document, table: Place, typed: Collection[str], renamed: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Keys of a table as they are typed, and as they are called now.

    Raises:
        UsageError: one is there under both of its names.
    """
    for key in typed:
        name = renamed.get(key, key)
        if name != key:
            if name in typed:
                raise _both(document, (*table, key), (*table, name))
            document.warn_renamed((*table, key), name)
        yield key, name


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
            of_kind[name] = read_layer(document, place, KINDS[name].parameters, renamed=KINDS[name].renamed)
        elif takers:
            common[name] = _for_any(document, place, raw, [_declared(kind, name).type for kind in takers])
        else:
            every = dict.fromkeys(name for kind in KINDS.values() for name in kind.parameters)
            raise document.unknown_key(place, [*every, *KINDS])
    return Defaults(common=common, of_kind=of_kind)


def _declared(kind: Kind, name: str) -> Parameter:
    """A parameter that a kind is known to have, by its name or by its old one."""
    return kind.parameters[kind.renamed.get(name, name)]


def _both(document: Document, one: Place, other: Place) -> UsageError:
    """That a table has a parameter under its old and under its new name."""
    return document.refused(
        one,
        f'{table_name(one[:-1])} has both "{one[-1]}" and "{other[-1]}", which are the same.',
        next_step="Give the new word alone.",
    )


def _name_in(kind: Kind, typed: str, raw: object) -> str:
    """The parameter of a kind that a key of [defaults] is; "" where it is none of its."""
    name = kind.renamed.get(typed, typed)
    if name not in kind.parameters:
        return ""
    # A word that other kinds keep may be meant for these alone: `gelu = "erf"` is never Neuron's.
    skipped = name != typed and _is_of_others(typed) and _read_or_none(kind.parameters[name].type, raw) is None
    return "" if skipped else name


def _is_of_others(name: str) -> bool:
    """Whether a word was a parameter of some kinds before it became that of others, and still is."""
    return any(name in kind.parameters and name not in kind.renamed.values() for kind in KINDS.values())


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


def _for_kind(document: Document, kind: Kind, name: str, given: Given) -> Given:
    parameter = kind.parameters[name]
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
        else "Fix the value.",
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
