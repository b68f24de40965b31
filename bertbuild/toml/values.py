"""Kinds of values: how one is read, what it is called in a sentence, and its JSON Schema."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from bertbuild.toml.document import TypedFloat

Value = str | int | bool | float

LARGEST = 2**31 - 1
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_SIZE = r"^([0-9]+(?:\.[0-9]+)?)([kKmMgGtT]?)[bB]?$"
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_TEXT = r"^[^\u0000]*$"


class WrongValueError(ValueError):
    """A value that is none of its kind."""


class Type(Protocol):
    """A kind of values."""

    @property
    def words(self) -> str:
        """What a value must be, after "must be"."""

    @property
    def options(self) -> tuple[str, ...]:
        """The words it may be, where they can be counted."""

    def read(self, raw: object) -> Value:
        """The value as requests take it.

        Raises:
            WrongValueError: it is none.
        """

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number; int32, as the stages' are."""

    least: int = 0
    options: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What a value must be."""
        return f"a whole number, {self.least} or more"

    def read(self, raw: object) -> int:
        """The number."""
        if isinstance(raw, bool) or not isinstance(raw, int) or not self.least <= raw <= LARGEST:
            raise WrongValueError
        return raw

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": LARGEST}


@dataclass(frozen=True, slots=True)
class Number:
    """A number, also as a string; it travels on as it was typed, for keys and names are made of it.

    Attributes:
        least: it may not be less.
        most: it may not be more.
        above: it must be more.
        below: it must be less.
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    options: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What a value must be."""
        if self.least == -math.inf:
            below = f" and below {self.below:g}" if self.below < math.inf else ""
            return "a number" if self.above == -math.inf else f"a number above {self.above:g}{below}"
        if self.most < math.inf:
            return f"a number from {self.least:g} to {self.most:g}"
        return f"a number, {self.least:g} or more" + (f" and below {self.below:g}" if self.below < math.inf else "")

    def holds(self, number: float) -> bool:
        """Whether a number is within the bounds; infinities and NaN never are."""
        return math.isfinite(number) and self.least <= number <= self.most and self.above < number < self.below

    def read(self, raw: object) -> str | float:
        """The number's text."""
        text = raw.text if isinstance(raw, TypedFloat) else str(raw)
        good = not isinstance(raw, bool) and isinstance(raw, int | float | str)
        if not good or not re.fullmatch(_NUMBER, text) or not self.holds(float(text)):
            raise WrongValueError
        return text

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema; the bounds hold for numbers, those of a string are the parser's to check."""
        bounds = {"minimum": self.least, "maximum": self.most}
        bounds |= {"exclusiveMinimum": self.above, "exclusiveMaximum": self.below}
        limits = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
        return {"type": ["number", "string"], "pattern": _NUMBER, **limits}


@dataclass(frozen=True, slots=True)
class Real(Number):
    """A number that is computed with, and no part of a name."""

    def read(self, raw: object) -> float:
        """The number."""
        return float(Number.read(self, raw))


@dataclass(frozen=True, slots=True)
class Text:
    """A string, which may be empty."""

    words: str = "a string"
    options: tuple[str, ...] = ()

    def read(self, raw: object) -> str:
        """The string."""
        if not isinstance(raw, str) or "\0" in raw:
            raise WrongValueError
        return raw

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "string", "pattern": _TEXT}


@dataclass(frozen=True, slots=True)
class Name:
    """A string that names something: a model, a path."""

    words: str = "a string that is not empty"
    options: tuple[str, ...] = ()

    def read(self, raw: object) -> str:
        """The string."""
        if not isinstance(raw, str) or not raw or "\0" in raw:
            raise WrongValueError
        return raw

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "string", "minLength": 1, "pattern": _TEXT}


@dataclass(frozen=True, slots=True)
class Location(Name):
    """A path, relative to the build file's folder."""

    words: str = "a path"


@dataclass(frozen=True, slots=True)
class Size:
    """An amount of memory, as Docker writes it."""

    words: str = 'an amount of memory such as "16g" or "800m"'
    options: tuple[str, ...] = ()

    def read(self, raw: object) -> str:
        """The amount as it was typed; `in_bytes` says how many bytes it is."""
        if not isinstance(raw, str) or not re.fullmatch(_SIZE, raw) or in_bytes(raw) < 1:
            raise WrongValueError
        return raw

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "string", "pattern": _SIZE}


@dataclass(frozen=True, slots=True)
class Truth:
    """Yes or no.

    Attributes:
        valued: whether its flag takes true or false though it is false where it is not given; it is then no switch.
    """

    valued: bool = False
    words: str = "true or false"
    options: tuple[str, ...] = ()

    def read(self, raw: object) -> bool:
        """Which of the two."""
        if not isinstance(raw, bool):
            raise WrongValueError
        return raw

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    options: tuple[str, ...] = field(default=())

    @property
    def words(self) -> str:
        """What a value must be."""
        return "one of " + ", ".join(self.options) if len(self.options) > 1 else f'"{self.options[0]}"'

    def read(self, raw: object) -> str:
        """The word."""
        if not isinstance(raw, str) or raw not in self.options:
            raise WrongValueError
        return raw

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        return {"enum": list(self.options)}


@dataclass(frozen=True, slots=True)
class Choices:
    """One of some words, or an array of them; where flags take commas."""

    options: tuple[str, ...] = field(default=())

    @property
    def words(self) -> str:
        """What a value must be."""
        return f"one of {', '.join(self.options)}, or an array of them, each once"

    def read(self, raw: object) -> str:
        """The words, with commas."""
        words = raw if isinstance(raw, list) else [raw]
        one = Choice(self.options)
        read = [one.read(word) for word in words]
        if not read or len(set(read)) < len(read):
            raise WrongValueError
        return ",".join(read)

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        words = {"enum": list(self.options)}
        return {"anyOf": [words, {"type": "array", "items": words, "minItems": 1, "uniqueItems": True}]}


@dataclass(frozen=True, slots=True)
class Texts:
    """A string, or an array of strings; where variables take commas."""

    words: str = "a string, or an array of strings"
    options: tuple[str, ...] = ()

    def read(self, raw: object) -> str:
        """The strings, with commas."""
        one = Text()
        return ",".join(one.read(text) for text in (raw if isinstance(raw, list) else [raw]))

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        text = {"type": "string", "pattern": _TEXT}
        return {"anyOf": [text, {"type": "array", "items": text}]}


def in_bytes(size: str) -> int:
    """How many bytes "16g" is: units are powers of 1024, as Docker's."""
    found = re.fullmatch(_SIZE, size)
    if found is None:
        raise WrongValueError
    return int(float(found[1]) * _UNITS[found[2].lower()])
