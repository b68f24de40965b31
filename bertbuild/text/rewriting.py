"""What google-research/bert and google-research/albert make of text, as rules that a program without Python can carry
out: tables from each character to what takes its place, and a pattern for the one letter whose lower case depends on
its neighbours.

Beyond both is only the order of marks: `changes_places`.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from bertbuild.text.basic_words import BasicWords
from bertbuild.text.pieces import prepared

SIGMA, FINAL = "\u03a3", "\u03c2"
"""A capital sigma; the small one that ends a word."""
_BLOCK = 256
_NOTHING_KNOWN = ("Cn", "Co", "Cs")


def changed_characters(lower_case: bool) -> dict[str, str]:
    """Each character that does not stay as it is → what takes its place, with a space where a word ends.

    The character 0, which google-research/bert takes out, is not among them.
    """
    words = BasicWords(lower_case)
    made = ((char, _alone(char, words)) for char in _characters())
    return {char: text for char, text in made if text != char}


def decomposed_characters() -> dict[str, str]:
    """Each character that google-research/albert decomposes, or takes off another → what takes its place. White space
    is not among them, nor is the character 0, which stays.
    """
    made = ((char, prepared(char, lower_case=False)) for char in _characters() if not char.isspace())
    return {char: text for char, text in made if text != char}


def small_characters() -> dict[str, str]:
    """Each character that is made small → what takes its place, without regard to its neighbours."""
    return {char: char.lower() for char in _characters() if char.lower() != char}


def final_sigma(changed: Mapping[str, str]) -> str:
    """A pattern (PCRE) of a Σ at the end of a word and what stands before it, which is its first group.

    Unicode's rule: a letter before it and none behind, where some characters do not count. What is taken out does not
    count either.

    Args:
        changed: the table that is applied next, for text that is lower-cased.
    """
    cased, ignored = [], []
    for char in _characters():
        if char == SIGMA or (char + SIGMA).lower().endswith(FINAL):
            cased.append(char)
        elif ("A" + char + SIGMA).lower().endswith(FINAL) or changed.get(char) == "":
            ignored.append(char)
    letter, between = _one_of(cased), _one_of(ignored)
    return f"({letter}{between}*){SIGMA}(?!{between}*{letter})"


def changes_places(text: str) -> bool:
    """Whether a text has marks that normalization puts in another order and that google-research/bert does not take
    off.
    """
    in_order = unicodedata.normalize("NFD", text)
    one_by_one = "".join(unicodedata.normalize("NFD", char) for char in text)
    return _without_accents(in_order) != _without_accents(one_by_one)


def _without_accents(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char) != "Mn")


def _alone(char: str, words: BasicWords) -> str:
    """What becomes of a character without such neighbours as count."""
    return " ".join(words(f"a{char}b"))[1:-1]


def _characters() -> Iterator[str]:
    """All characters but 0, and but those that Unicode has nothing to say of, which stay as they are.

    Such ones are left out where their whole block is: Chinese blocks, which are set apart, have some too.
    """
    for start in range(0, sys.maxunicode + 1, _BLOCK):
        block = [chr(number) for number in range(max(start, 1), start + _BLOCK)]
        if any(unicodedata.category(char) not in _NOTHING_KNOWN for char in block):
            yield from block


def _one_of(characters: Iterable[str]) -> str:
    """A class of a pattern, of characters in their order."""
    ranges: list[list[int]] = []
    for number in map(ord, characters):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return "[" + "".join(f"\\x{{{low:X}}}-\\x{{{high:X}}}" for low, high in ranges) + "]"
