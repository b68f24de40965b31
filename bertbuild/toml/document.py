"""A TOML file that knows on which line each of its keys stands, so that errors can say it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bertbuild.errors import UsageError
from bertbuild.names import did_you_mean
from bertbuild.renamed import ENDS

Place = tuple[str | int, ...]
"""Where a value stands: the keys that lead to it, and indices where there are arrays."""

_LARGEST = 1 << 18
"""Bytes; the build file of a thousand models has as many."""
_LONGEST_KEY = re.compile(r"(?:[\w\"'-]+[ \t]*\.[ \t]*){64}")
"""The parser takes time in the square of a key's parts."""
_MOST_PARSED = 6_000_000
"""Characters that are parsed to find the line on which a value stands; after that a line behind it is told."""
_CLOSERS = ("", "\n]", "\n]}", "\n]}}", "\n]]", "\n]]}", "\n]]}}", '"""', "'''", '"""\n]', "'''\n]")
"""What may be missing at the end of a line for the lines up to there to be TOML: a value of many lines is open."""


class TypedFloat(float):
    """A number with a point or exponent that remembers how it was typed."""

    text: str

    def __new__(cls, text: str) -> TypedFloat:  # noqa: PYI034 - Self is not in typing of Python 3.10
        """The number that `text` spells."""
        number = super().__new__(cls, text)
        number.text = text.replace("_", "")
        return number


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read.

    Attributes:
        path: as it was named.
        text: its lines.
        values: what they say; floats are `TypedFloat`.
        warnings: what those who read it have to tell, which is not an error.
    """

    path: Path
    text: str
    values: dict[str, Any]
    warnings: list[str] = field(default_factory=list, compare=False)

    def warn(self, place: Place, text: str) -> None:
        """Have something to tell about the value at `place`."""
        self.warnings.append(f"{self.path}, line {self.line(place)}: {text}")

    def warn_renamed(self, place: Place, name: str, *, of: str = "") -> None:
        """Tell that a key, or one of a kind of targets alone, has another name now."""
        self.warn(place, f'"{place[-1]}" is now "{name}"{of and f" of {of}"}; {ENDS}')

    def line(self, place: Place) -> int:
        """The line, from 1, on which the value at `place` begins; of what is not there, its table's."""
        while place and not _holds(self.values, place):
            place = place[:-1]
        return _first_line(self.text.split("\n"), place) if place else 1

    def refused(self, place: Place, message: str, *, next_step: str = "") -> UsageError:
        """The error of a value that is invalid; the message follows file and line."""
        return UsageError(f"{self.path}, line {self.line(place)}: {message}", next_step=next_step)

    def unknown_key(self, place: Place, known: Iterable[str], *, hint: str = "") -> UsageError:
        """The error of a key that nobody knows; `hint` follows the list of those that are known."""
        known = list(known)
        key = str(place[-1])
        table = table_name(place[:-1])
        message = f'{table} knows no key "{key}"' if table else f'no setting or table is called "{key}"'
        hint = f" {hint}" if hint else ""
        return self.refused(
            place, f"{message}{did_you_mean(key, known)}", next_step=f"Known here: {', '.join(known) or 'none'}.{hint}"
        )

    def table(self, place: Place) -> dict[str, Any]:
        """The table at `place`, empty where there is none.

        Raises:
            UsageError: something else stands there.
        """
        found: Any = self.values
        for part in place:
            found = found.get(part, {})
            if not isinstance(found, dict):
                name = table_name(place)
                raise self.refused(place, f"{name} must be a table, not {shown(found)}.", next_step=f"Write {name}.")
        return dict(found)


def read_document(path: Path) -> Document | None:
    """The file, None where there is none.

    Raises:
        UsageError: it cannot be read, is not UTF-8, or is not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors of Windows begin UTF-8 with a mark
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", next_step="Give a file that you may read."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error}.", next_step="Save it as UTF-8.") from error
    if len(text) > _LARGEST or _LONGEST_KEY.search(text):
        what = f"has more than {_LARGEST} characters" if len(text) > _LARGEST else "has a key of more than 64 parts"
        raise UsageError(f"{path} {what}, the most that are read.", next_step="Write several files: --file names one.")
    try:
        return Document(path=path, text=text, values=_parsed(text))
    except RecursionError as error:
        raise UsageError(
            f"{path} is nested too deeply.", next_step="Nothing in it needs more than 5 levels."
        ) from error
    except ValueError as error:  # TOMLDecodeError, or a number with more digits than Python reads
        what, line = _without_line(str(error), text)
        raise UsageError(f"{path}, line {line}: not valid TOML: {what}.", next_step="Fix that line.") from error


def table_name(place: Place) -> str:
    """A table as its header is written: `[targets.ir]`; "" for the whole file."""
    names = [part if _bare(part) else f'"{part}"' for part in place if isinstance(part, str)]
    return f"[{'.'.join(names)}]" if names else ""


def shown(value: object) -> str:
    """A value in a sentence, as it is typed where it is short."""
    if isinstance(value, str):
        text = value if len(value) <= 60 else value[:59] + "…"
        return '"' + "".join(letter if letter.isprintable() else "�" for letter in text) + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, TypedFloat):
        return value.text
    if isinstance(value, int):
        return str(value) if abs(value) < 1e18 else "a number that large"
    if isinstance(value, list):
        return "an array"
    return "a table" if isinstance(value, dict) else "a date or time"


def _bare(key: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]+", key) is not None


def _parsed(text: str) -> dict[str, Any]:
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib  # type: ignore[import-not-found,no-redef]
    return tomllib.loads(text, parse_float=TypedFloat)


def _without_line(message: str, text: str) -> tuple[str, int]:
    """What a parser says, and the line that it names; the last one where it was at the end."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if found is None:
        return message, 1
    return message[: found.start()], int(found[1] or text.rstrip("\n").count("\n") + 1)


def _holds(values: Any, place: Place) -> bool:
    for part in place:
        if isinstance(part, int):
            if not isinstance(values, list) or part >= len(values):
                return False
        elif not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _first_line(lines: list[str], place: Place) -> int:
    """The first line of a value that the whole of `lines` holds.

    A key once read is never taken back, so the shortest run of lines that is TOML and holds it is found by halving.
    Where that one ends is the end of the value at the latest; the value begins after the run before it.
    """
    search = _Search(lines)
    low, high = 1, len(lines)
    while low < high:
        middle = (low + high) // 2
        parsed = search.nearest_prefix(middle, low)
        if parsed is not None and _holds(parsed[1], place):
            high = parsed[0]
        else:
            low = middle + 1
    before = search.nearest_prefix(high - 1, 1)
    return before[0] + 1 if before else high if search.ended else 1


class _Search:
    """Runs of lines that are TOML, as far as `_MOST_PARSED` characters tell."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._left = _MOST_PARSED

    @property
    def ended(self) -> bool:
        """Whether no more is parsed."""
        return self._left <= 0

    def nearest_prefix(self, length: int, least: int) -> tuple[int, dict[str, Any]] | None:
        """The longest run of lines from the first, `least` to `length` of them, that is TOML once it is closed."""
        for count in range(length, least - 1, -1):
            prefix = "\n".join(self._lines[:count])
            for closer in _CLOSERS:
                if self.ended:
                    return None
                values = self._parsed(prefix + closer)
                if values is not None:
                    return count, values
        return None

    def _parsed(self, text: str) -> dict[str, Any] | None:
        self._left -= len(text)
        try:
            return _parsed(text)
        except (ValueError, RecursionError):
            return None
