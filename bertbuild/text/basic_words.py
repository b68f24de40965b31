"""What upstream's BasicTokenizer makes of a text: its words, of the standard library alone.

Here upstream's steps are one table, from a character to what becomes of it; what no table can say (the final sigma,
marks in another order) goes the long way.
"""

from __future__ import annotations

import string
import unicodedata
from typing import Dict  # noqa: UP035  (a base class, which Python 3.7 evaluates)

_ASCII_PUNCTUATION = frozenset(string.punctuation)
_CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class BasicWords:
    """Upstream's BasicTokenizer(do_lower_case)."""

    def __init__(self, lower_case: bool) -> None:
        self._characters = _Characters(lower_case)

    def __call__(self, text: str) -> list[str]:
        """The words of a text."""
        try:
            return text.translate(self._characters).split()
        except _NeighboursCountError:
            return _the_long_way(text)


class _NeighboursCountError(Exception):
    """A character whose lower case, or whose place among the marks around it, no table can say."""


class _Characters(Dict[int, str]):  # noqa: UP006
    """A character's number → the text that upstream makes of it, with spaces where a word ends."""

    def __init__(self, lower_case: bool) -> None:
        super().__init__()
        self._lower_case = lower_case

    def __missing__(self, number: int) -> str:
        char = chr(number)
        self[number] = text = _set_apart(char, self._lowered(_cleaned(char)))
        return text

    def _lowered(self, text: str) -> str:
        if not self._lower_case:
            return text
        if text == "Σ":
            raise _NeighboursCountError
        text = _without_accents(text.lower())
        if any(map(unicodedata.combining, text)):
            raise _NeighboursCountError
        return text


def _the_long_way(text: str) -> list[str]:
    """Upstream's steps one after the other, for a text to be lower-cased."""
    text = "".join(f" {char} " if _is_chinese(char) else _cleaned(char) for char in text)
    words = [_without_accents(word.lower()) for word in text.split()]
    return " ".join(_set_apart("", word) for word in words).split()


def _cleaned(char: str) -> str:
    if char in "\t\n\r":
        return " "
    category = unicodedata.category(char)
    if char == "\ufffd" or category in ("Cc", "Cf"):
        return ""
    return " " if category == "Zs" else char


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")


def _set_apart(char: str, text: str) -> str:
    """`text`, which was made of `char`, with spaces around punctuation, or around all of it if `char` is Chinese."""
    text = "".join(f" {one} " if _is_punctuation(one) else one for one in text)
    return f" {text} " if char and _is_chinese(char) else text


def _is_punctuation(char: str) -> bool:
    """Upstream's: all of ASCII that is not a letter, digit, space or control character, and Unicode's own."""
    return char in _ASCII_PUNCTUATION or unicodedata.category(char)[0] == "P"


def _is_chinese(char: str) -> bool:
    number = ord(char)
    return number >= _CHINESE[0][0] and any(first <= number <= last for first, last in _CHINESE)
