"""Texts and pairs that tell tokenizers apart, a class each; the same ones every time."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence

EACH = 240
"""Texts of a generated class."""
PLAIN = tuple(
    "the quick brown fox jumps over a lazy dog while film critics said nothing about its unaffordable prices in "  # noqa: SIM905
    "Paris London 1999 3,000 U.S. isn't e-mail don't state-of-the-art (sic) $5 50% #1 a@b.c re-elected".split()
)
ACCENTED = (
    "café naïve Ångström coöperate Zürich résumé İstanbul Öl Übermut señor façade Tiếng Việt Ελλάς ΟΔΥΣΣΕΥΣ Σίσυφος"
)
SPECIAL = ("[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[unused5]", "[mask]")
BLOCKS = {
    "chinese": ((0x4E00, 0x9FFF), (0x3400, 0x4DBF)),
    "chinese extensions": (
        (0x20000, 0x2A6DF),
        (0x2A700, 0x2B73F),
        (0x2B740, 0x2B81F),
        (0xF900, 0xFA6D),
        (0x2F800, 0x2FA1D),
    ),
    "chinese extension E": ((0x2B820, 0x2CEA1),),
    "hangul": ((0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x3131, 0x318E)),
    "thai": ((0x0E01, 0x0E3A), (0x0E3F, 0x0E5B)),
    "kana": ((0x3041, 0x3096), (0x30A1, 0x30FA)),
    "digits of other scripts": (
        (0x0660, 0x0669),
        (0x0966, 0x096F),
        (0xFF10, 0xFF19),
        (0x2460, 0x2473),
        (0x1D7CE, 0x1D7FF),
    ),
    "other scripts": ((0x0391, 0x03C9), (0x0410, 0x044F), (0x05D0, 0x05EA), (0x0627, 0x064A), (0x0905, 0x0939)),
    "emoji and symbols": ((0x1F300, 0x1F5FF), (0x2190, 0x21FF), (0x2600, 0x26FF), (0x00A1, 0x00BF), (0x2010, 0x2027)),
}
ODD = {
    "control characters": [chr(number) for number in (*range(1, 9), *range(11, 13), *range(14, 32), *range(127, 160))],
    "format characters": list("\u200b\u200c\u200d\u200e\u2028\u2029\ufeff\u00ad\u2060\u061c"),
    "spaces": list("\u00a0\u1680\u2000\u2003\u2009\u202f\u205f\u3000\t\x0b\x0c\x1c\x85"),
    "replacement character": ["\ufffd"],
    "private use": list("\ue000\uf8ff\U000f0000"),
}


SIGMAS = tuple("ΟΔΟΣ ΣΟΦΙΑ ΑΣ' ΑΣ'Α ΑΣ.Α ΣΣΣ Σ 1Σ ΑΣ\u200b ΑΣ\u0301Α ΑΣ字 'Σ ΑΣ:Β Α\u00adΣ ΑΣ-Σ".split())  # noqa: SIM905
MARKS = ("\u302e\U0001d165", "\U0001d165\u302e", "\u302f", "\U0001d15f", "a\u0323\u0301", "e\u0301\u0323")
"""Of the first, normalization changes the order."""
TIGHT = (
    "[SEP]",
    "[CLS][MASK]",
    "[[SEP]]",
    "ΑΣ[SEP]Α",
    "[SE\0P]",
    "[S\x07EP]",
    "\x03",
    "[UNK]\u0301",
    "字[PAD]",
    "[sep]",
)
"""Special tokens, and what is nearly one, without spaces around them."""
ONLY_EMPTY = "only empty texts"
"""The class of what has no characters that are kept; a batch of these alone is a case of its own."""

Text = tuple[str, str | None]
"""A text, and what goes with it, if anything."""


def generated() -> dict[str, list[Text]]:
    """Class → texts."""
    chance = random.Random(14)  # noqa: S311 - no secret
    found: dict[str, list[Text]] = {"plain": [_joined(chance, PLAIN) for _ in range(EACH)]}
    found["capitals"] = [(one.upper() if chance.random() < 0.5 else one.title(), None) for one, _ in found["plain"]]
    accents = ACCENTED.split()
    for form in ("NFC", "NFD"):
        found[f"accents {form}"] = [
            (unicodedata.normalize(form, _joined(chance, accents)[0]), None) for _ in range(EACH)
        ]
    for name, ranges in BLOCKS.items():
        found[name] = [_of_block(chance, ranges) for _ in range(EACH)]
    for name, characters in ODD.items():
        found[name] = [_with(chance, characters) for _ in range(EACH)]
    found["long words"] = [(f"a {_long(chance)} b", None) for _ in range(EACH)]
    found["long words of two bytes"] = [("é" * chance.randint(40, 201), None) for _ in range(EACH // 4)]
    found["special tokens"] = [_with(chance, [f" {word} " for word in SPECIAL]) for _ in range(EACH)]
    found["pairs"] = [(_joined(chance, PLAIN, 45)[0], _joined(chance, PLAIN, 45)[0]) for _ in range(EACH)]
    found["the character 0"] = [_with(chance, "\0") for _ in range(EACH // 4)]
    found["empty texts"] = [(one, two) for one in ("", " ", "a") for two in (None, "", " ", "b")]
    found[ONLY_EMPTY] = [(one, two) for one in ("", "\0") for two in (None, "")]
    found["capital sigma"] = [_with(chance, SIGMAS) for _ in range(EACH)]
    found["marks in another order"] = [_with(chance, MARKS) for _ in range(EACH // 4)]
    found["special tokens without spaces"] = [_with(chance, TIGHT) for _ in range(EACH // 4)]
    return found


def parts() -> list[str]:
    """All texts of `generated`, those of pairs one by one, without empty ones; each once."""
    return list(dict.fromkeys(part for texts in generated().values() for text in texts for part in text if part))


def _joined(chance: random.Random, words: Sequence[str], most: int = 18) -> Text:
    return " ".join(chance.choice(words) for _ in range(chance.randint(1, most))), None


def _of_block(chance: random.Random, ranges: Sequence[tuple[int, int]]) -> Text:
    characters = [chr(chance.randint(*chance.choice(ranges))) for _ in range(chance.randint(1, 12))]
    for _ in range(chance.randint(0, 3)):
        characters.insert(chance.randint(0, len(characters)), chance.choice([" ", "a", ", ", "Bc", "7"]))
    return "".join(characters), None


def _with(chance: random.Random, characters: Sequence[str]) -> Text:
    text = list(_joined(chance, PLAIN, 5)[0])
    for _ in range(chance.randint(1, 4)):
        text.insert(chance.randint(0, len(text)), chance.choice(characters))
    return "".join(text), None


def _long(chance: random.Random) -> str:
    return "".join(
        chance.choice("abcdeß字") if chance.random() < 0.02 else chance.choice("unaffable")
        for _ in range(chance.randint(95, 205))
    )
