"""Where a tokenizer reads text otherwise than google-research/bert: texts counted by class. One of no class is a fault.

What a tokenizer is held to is `FullTokenizer` and `sequence` of `wordpiece.py`, which read as google-research/bert.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from bertbuild.text.corpus import Text
from bertbuild.text.rewriting import changes_places
from bertbuild.text.wordpiece import SPECIAL, Sequenced
from bertbuild.text.words import VOCAB_FILE, Words

Classes = Mapping[str, Callable[[str, bool], bool]]
"""Class of a difference → whether a text is of it, by its characters and by `Read.is_cut_alone`."""
UPSTREAM: Final = "google-research/bert"
"""Whose reading a tokenizer is held to."""
_PRIVATE: Final = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_DIGIT_COMMA: Final = re.compile(r"\d\s*,")
_TAKEN_OUT: Final = ("Cc", "Cf")
TIED: Final = "pieces that are as likely as others"
"""The class of what rounding decides."""
_CUT: Final = "a pair that is cut"
_SPLIT_NOT: Final = re.compile("[\U0002b820-\U0002b91f]")


class Read(NamedTuple):
    """What a tokenizer made of a text: a row of its answer, with the padding. `mask` is 1 where there are pieces.

    `is_cut_alone`: its parts are read as google-research/bert reads them, and no more than where they are cut differs.
    `is_tied`: its pieces are others than SentencePiece's and as likely, so that rounding decides between them.
    """

    ids: list[int]
    mask: list[int]
    segments: list[int]
    is_cut_alone: bool = False
    is_tied: bool = False


class Differences(NamedTuple):
    """How a tokenizer read some texts.

    Attributes:
        texts: how many there were.
        classes: class → how many of it were read otherwise, those with any.
        unlisted: the texts of no class that were read otherwise.
    """

    texts: int
    classes: dict[str, int]
    unlisted: list[Text]

    def as_json(self, *, special: bool = False, upstream: str = UPSTREAM) -> dict[str, Any]:
        """It for programs: `texts`, and `differences` by class.

        Args:
            special: whether special tokens in a text were to be such; then `special_tokens_in_text` says it.
            upstream: whose reading it was held to; `upstream` says it where it is not google-research/bert's.
        """
        return {
            "texts": self.texts,
            "differences": self.classes,
            **({"special_tokens_in_text": True} if special else {}),
            **({} if upstream == UPSTREAM else {"upstream": upstream}),
        }


NO_TEXTS: Final = Differences(texts=0, classes={}, unlisted=[])
"""Of a vocabulary that no tokenizer is made of."""


def of_text_models(words: Words) -> Classes:
    """The classes of an IR that takes strings, by its tokenizer's file: none of pieces of SentencePiece."""
    if words.file == VOCAB_FILE:
        return {"marks that change places": lambda text, _cut: changes_places(text)}
    return {}


def of_tokenizer_json(*, lower_case: bool, special: bool) -> Classes:
    """The classes of the package tokenizers, version 0.21.4.

    Args:
        lower_case: whether letters are made small.
        special: whether the file has special tokens in a text as such.
    """
    found: dict[str, Callable[[str, bool], bool]] = {
        "private-use characters": lambda text, _cut: bool(_PRIVATE.search(text)),
        "Chinese characters U+2B820 to U+2B91F": lambda text, _cut: bool(_SPLIT_NOT.search(text)),
        "capital sigma": lambda text, _cut: lower_case and "\u03a3" in text,
        "special tokens in a text": lambda text, _cut: special and any(word in text for word in SPECIAL),
        _CUT: lambda _text, cut: cut,
    }
    return found


def of_pieces(special: tuple[str, ...], *, lower_case: bool) -> Classes:
    """The classes of the package tokenizers, version 0.21.4, reading pieces of SentencePiece.

    Args:
        special: the pieces that are special tokens in a text.
        lower_case: whether letters are made small.
    """
    return {
        "special tokens in a text": lambda text, _cut: any(word in _shown(text) for word in special),
        "capital sigma": lambda text, _cut: lower_case and "\u03a3" in text,
        "a digit and a comma": lambda text, _cut: bool(_DIGIT_COMMA.search(_shown(text))),
    }


def classes_of(words: Words, *, lower_case: bool) -> Classes:
    """The classes of the tokenizer.json that targets carry, by the file of the tokenizer.

    Args:
        words: what the file holds.
        lower_case: whether letters are made small.
    """
    if words.file == VOCAB_FILE:
        return of_tokenizer_json(lower_case=lower_case, special=False)
    return {**of_pieces(words.special, lower_case=lower_case), _CUT: lambda _text, cut: cut}


def reads(count: int, ids: list[list[int]], masks: list[list[int]], segments: list[list[int]]) -> list[Read]:
    """What a tokenizer made of a batch, text by text: of none, where it gave another number of rows than texts.

    Args:
        count: texts of the batch.
        ids: a row for each text, with the padding.
        masks: likewise.
        segments: likewise.
    """
    if any(len(rows) != count for rows in (ids, masks, segments)):
        return [Read([], [], [])] * count
    return [Read(*row) for row in zip(ids, masks, segments, strict=True)]


def compared(rows: Iterable[tuple[Text, Sequenced, Read]], classes: Classes, pad: int) -> Differences:
    """Count the texts that were read otherwise.

    Args:
        rows: a text, what google-research/bert makes of it, and what the tokenizer made of it.
        classes: class → whether a text is of it; a text is counted in its first one.
        pad: the number that fills what is left of a row.
    """
    count, found, unlisted = 0, dict.fromkeys((*classes, TIED), 0), []
    for text, wanted, read in rows:
        count += 1
        if _is_same(wanted, read, pad):
            continue
        joined = " ".join(part for part in text if part is not None)
        named = (name for name, is_of in classes.items() if is_of(joined, read.is_cut_alone))
        kind = next(named, TIED if read.is_tied else None)
        if kind is None:
            unlisted.append(text)
        else:
            found[kind] += 1
    return Differences(texts=count, classes={name: n for name, n in found.items() if n}, unlisted=unlisted)


def unlisted_told(differences: Differences, what: str = "the tokenizer", upstream: str = UPSTREAM) -> str:
    """Why a build is refused: its tokenizer, called `what`, reads texts of no class otherwise than `upstream`."""
    texts = differences.unlisted
    first = " | ".join(repr(part) for part in texts[0] if part is not None)
    return (
        f"{what} reads {len(texts):,} of {differences.texts:,} texts otherwise than {upstream}, for "
        f"no known reason; the first: {first}"
    )


def told(differences: Mapping[str, Any]) -> str:
    """What people are told, of `Differences.as_json`."""
    texts, classes = differences["texts"], differences["differences"]
    special = differences.get("special_tokens_in_text")
    like = f"{differences.get('upstream', UPSTREAM)} does" + (
        ", and special tokens in them as Hugging Face does" if special else ""
    )
    if not classes:
        return f"reads all of {texts:,} texts as {like}"
    counts = ", ".join(f"{name} {number:,}" for name, number in classes.items())
    return f"reads {texts - sum(classes.values()):,} of {texts:,} texts as {like}; not: {counts}"


def _shown(text: str) -> str:
    """A text as a table of SentencePiece leaves it: decomposed, without control and format characters."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if unicodedata.category(one) not in _TAKEN_OUT)


def _is_same(wanted: Sequenced, read: Read, pad: int) -> bool:
    rest = len(read.ids) - len(wanted.ids)
    return (
        read.ids == wanted.ids + [pad] * rest
        and read.segments == wanted.segments + [0] * rest
        and read.mask == [1] * len(wanted.ids) + [0] * rest
    )
