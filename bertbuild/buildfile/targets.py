"""[targets.*]: the targets of a model, each combination of a matrix one of them."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bertbuild.buildfile.entries import TargetEntry
from bertbuild.buildfile.layers import Defaults, Given, Layer, new_words, read_layer, read_value
from bertbuild.buildfile.parameters import KIND, kind_type
from bertbuild.buildfile.requests import located, make_request
from bertbuild.errors import UsageError
from bertbuild.kinds import KINDS
from bertbuild.kinds.kind import REFERENCE, Kind
from bertbuild.names import clean_name
from bertbuild.parameters import Parameter
from bertbuild.plural import number_of
from bertbuild.toml.document import Document, Place, shown, table_name

LONGEST_NAME = 200
"""File systems allow 255 bytes, and names get endings."""

MOST_COMBINATIONS = 500
BOTH = "+"
"""Joins several outputs in a target's name, as in those of single commands."""

_FLAG = re.compile(r"--([a-z0-9][a-z0-9_-]*)")

Axes = dict[str, list[Given]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTable:
    """A table [targets.NAME] as it was read: kind, parameters, and the values that its matrix goes through."""

    name: str
    kind: Kind
    own: Layer
    matrix: Axes

    @property
    def place(self) -> Place:
        """Where the table stands."""
        return ("targets", self.name)

    def combinations(self, axes: Axes) -> Iterator[tuple[str, Layer]]:
        """Name and parameters of each target that the table means, in the order written."""
        for values in itertools.product(*axes.values()):
            yield "-".join([self.name, *map(_in_name, values)]), dict(zip(axes, values, strict=True))


def read_targets(document: Document) -> dict[str, TargetTable]:
    """All of [targets.*] by name.

    Raises:
        UsageError: one is invalid, or two of them make targets of the same name.
    """
    tables = {name: _read_table(document, name) for name in document.table(("targets",))}
    made = ((name, table.place) for table in tables.values() for name, _ in table.combinations(table.matrix))
    check_names(document, made)
    return tables


def make_targets(
    document: Document, table: TargetTable, defaults: Defaults, override: Layer, overridden: Place
) -> Iterator[TargetEntry]:
    """The targets that a table means for one model.

    Args:
        document: the file.
        table: of [targets.*].
        defaults: what holds where the table says nothing.
        override: what the model says of it; of a key of the matrix, in the place of all its values.
        overridden: where it says so.

    Raises:
        UsageError: parameters contradict each other.
    """
    axes = {name: [override[name]] if name in override else values for name, values in table.matrix.items()}
    said = {*table.own, *axes, *override}
    default = defaults.layer(document, table.kind, said)
    place = overridden if override else table.place
    aside = _is_for_others(table.kind, table.own, axes, override)
    for name, combination in table.combinations(axes):
        given = {**default, **table.own, **combination, **override}
        values = located(
            {key: one.value for key, one in given.items()}, table.kind.parameters, document.path.absolute().parent
        )
        try:
            request = make_request(table.kind, values, tolerant=aside)
        except UsageError as error:
            raise in_the_file(document, error, given, table.kind.parameters, place) from error
        yield TargetEntry(
            name=name,
            kind=table.kind.name,
            request=request,
            reference=str(values.get(REFERENCE.name, "")),
            table=table.name,
        )


def _is_for_others(kind: Kind, own: Layer, axes: Axes, override: Layer) -> bool:
    """Whether what is said for one value of another parameter may be meant for other targets than this one.

    It is where that other parameter is said nearer to the target: what int8 is calibrated on, where the matrix says the
    precision, or the model of a target that has it int8.
    """
    conditional = {name: one.only_for[0] for name, one in kind.parameters.items() if one.only_for}
    deciding = set(conditional.values())
    if deciding & axes.keys() or not any(name in conditional for name in (*own, *override)):
        return True
    return bool(deciding & override.keys()) and not any(name in conditional for name in override)


def check_names(document: Document, made: Iterable[tuple[str, Place]]) -> None:
    """Refuse names, each with the table that makes it, that cannot be folders' or that two targets have."""
    seen: dict[str, Place] = {}
    for name, place in made:
        check_folder_name(document, place, name, also=BOTH)
        if name in seen:
            both = table_name(place) if seen[name] == place else f"{table_name(seen[name])} and {table_name(place)}"
            raise document.refused(
                place, f'{both} make two targets named "{name}".', next_step="Give each a name of its own."
            )
        seen[name] = place


def check_folder_name(document: Document, place: Place, name: str, *, also: str = "") -> None:
    """Refuse a name that cannot be a folder's; `also` is a letter that it may have beside those of `clean_name`."""
    bare = name.replace(also, "")
    if bare != clean_name(bare) or len(name) > LONGEST_NAME:
        raise document.refused(
            place,
            f"{shown(name)} cannot be a folder's name.",
            next_step="Use letters, digits, dots, dashes, underscores; "
            f"for instance {shown(clean_name(name)[:LONGEST_NAME])}.",
        )


def in_the_file(
    document: Document, error: UsageError, given: Layer, parameters: Mapping[str, Parameter], place: Place
) -> UsageError:
    """A request's error, which names flags, as one of the file, which has keys: of the key it names, or of `place`."""
    named: list[str] = []

    def as_key(found: re.Match[str]) -> str:
        name = found[1].replace("-", "_")
        named.append(name)
        return name if name in parameters else found[0]

    message = _FLAG.sub(as_key, str(error))
    at = next((given[name].place for name in named if name in given), place)
    return document.refused(at, f"{table_name(place)}: {message}", next_step=_FLAG.sub(as_key, error.next_step))


def _read_table(document: Document, name: str) -> TargetTable:
    place: Place = ("targets", name)
    check_folder_name(document, place, name)
    table = document.table(place)
    if KIND not in table:
        raise document.refused(
            place, f'{table_name(place)} has no "kind".', next_step=f"It must be {kind_type().words}."
        )
    kind = KINDS[str(read_value(document, (*place, KIND), kind_type()).value)]
    own = read_layer(document, place, kind.parameters, KIND, "matrix", renamed=kind.renamed)
    matrix = _read_matrix(document, (*place, "matrix"), kind) if "matrix" in table else {}
    return TargetTable(name=name, kind=kind, own=own, matrix=matrix)


def _read_matrix(document: Document, place: Place, kind: Kind) -> Axes:
    table = document.table(place)
    axes: Axes = {}
    for typed, name in new_words(document, place, table, kind.renamed):
        values = table[typed]
        if name not in kind.parameters:
            raise document.unknown_key((*place, typed), kind.parameters)
        if not isinstance(values, list):
            raise document.refused(
                (*place, typed),
                f'"{typed}" of {table_name(place)} must be an array of values, not {shown(values)}.',
                next_step="A parameter of one value stands outside of the matrix.",
            )
        _check_not_empty(document, (*place, typed), values)
        type_ = kind.parameters[name].type
        axes[name] = [read_value(document, (*place, typed, index), type_) for index in range(len(values))]
    _check_not_empty(document, place, table)
    count = math.prod(map(len, axes.values()))
    if count > MOST_COMBINATIONS:
        raise document.refused(
            place,
            f"{table_name(place)} has {number_of(count, 'combination')}, more than {MOST_COMBINATIONS}.",
            next_step="Leave values out, or make several targets of it.",
        )
    return axes


def _check_not_empty(document: Document, place: Place, found: object) -> None:
    if not found:
        raise document.refused(
            place,
            f"{table_name(place)} is empty, so there is nothing to build.",
            next_step="Give values, or leave it out.",
        )


def _in_name(given: Given) -> str:
    """A value as a part of a target's name."""
    return str(given.value).lower() if isinstance(given.value, bool) else str(given.value).replace(",", BOTH)
