"""Where a tokenizer reads text otherwise than google-research/bert: texts counted by class. One of no class is a fault.

What a tokenizer is held to is `FullTokenizer` and `sequence` of `wordpiece.py`, which read as google-research/bert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from bertbuild.text.corpus import Text
from bertbuild.text.rewriting import changes_places
from bertbuild.text.wordpiece import Sequenced

OF_TEXT_MODELS: Final[Mapping[str, Callable[[str], bool]]] = {"marks that change places": changes_places}
"""Class of a difference of an IR that takes strings → whether a text is of it."""


class Read(NamedTuple):
    """What a tokenizer made of a text: a row of its answer, with the padding. `mask` is 1 where there are pieces."""

    ids: list[int]
    mask: list[int]
    segments: list[int]


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

    def as_json(self) -> dict[str, Any]:
        """It for programs: `texts`, and `differences` by class."""
        return {"texts": self.texts, "differences": self.classes}


def compared(
    rows: Iterable[tuple[Text, Sequenced, Read]], classes: Mapping[str, Callable[[str], bool]], pad: int
) -> Differences:
    """Count the texts that were read otherwise.

    Args:
        rows: a text, what google-research/bert makes of it, and what the tokenizer made of it.
        classes: class → whether a text is of it; a text is counted in its first one.
        pad: the number that fills what is left of a row.
    """
    count, found, unlisted = 0, dict.fromkeys(classes, 0), []
    for text, wanted, read in rows:
        count += 1
        if _is_same(wanted, read, pad):
            continue
        joined = " ".join(part for part in text if part is not None)
        kind = next((name for name, is_of in classes.items() if is_of(joined)), None)
        if kind is None:
            unlisted.append(text)
        else:
            found[kind] += 1
    return Differences(texts=count, classes={name: n for name, n in found.items() if n}, unlisted=unlisted)


def told(differences: Mapping[str, Any]) -> str:
    """What people are told, of `Differences.as_json`."""
    texts, classes = differences["texts"], differences["differences"]
    if not classes:
        return f"reads all of {texts:,} texts as google-research/bert does"
    counts = ", ".join(f"{name} {number:,}" for name, number in classes.items())
    return f"reads {texts - sum(classes.values()):,} of {texts:,} texts as google-research/bert does; not: {counts}"


def _is_same(wanted: Sequenced, read: Read, pad: int) -> bool:
    rest = len(read.ids) - len(wanted.ids)
    return (
        read.ids == wanted.ids + [pad] * rest
        and read.segments == wanted.segments + [0] * rest
        and read.mask == [1] * len(wanted.ids) + [0] * rest
    )
