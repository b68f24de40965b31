"""Texts as the sequences that a model is asked, by the kind of its head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from bertbuild.text.paragraphs import MARKS, Paragraph, starts_of
from bertbuild.text.wordpiece import END, FIRST, MASK, sequence
from bertbuild.text.words import Tokenizer, Words

ROLES: Final = ("input_ids", "input_mask", "segment_ids")


class Asked(NamedTuple):
    """A text, and the one that goes with it: the second of a pair, or the paragraph of a question; None for none."""

    text: str
    other: str | None = None


@dataclass(slots=True)
class Questions:
    """Sequences, and what their answers are read with.

    Attributes:
        ids: of each sequence.
        segments: of each sequence.
        of: of each sequence the number of its text.
        places: of tags, for each sequence (word, place of its first piece); of masked words, their places.
        articles, windows: of questions, as `answer_spans` takes them.
        cut: the numbers of the texts that were cut to fit.
        width: places that each is padded to; 0: those of the longest.
    """

    ids: list[list[int]] = field(default_factory=list)
    segments: list[list[int]] = field(default_factory=list)
    of: list[int] = field(default_factory=list)
    places: list[list[tuple[str, int]]] = field(default_factory=list)
    articles: list[dict[str, Any]] = field(default_factory=list)
    windows: list[tuple[int, int, int, int]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    width: int = 0

    def arrays(self) -> dict[str, Any]:
        """The sequences as int32 arrays [N, S], by role; S is `width`, or where that is 0 the longest one's."""
        length = self.width or max(map(len, self.ids))
        found = {role: np.zeros((len(self.ids), length), np.int32) for role in ROLES}
        for row, (ids, segments) in enumerate(zip(self.ids, self.segments, strict=True)):
            found["input_ids"][row, : len(ids)] = ids
            found["input_mask"][row, : len(ids)] = 1
            found["segment_ids"][row, : len(ids)] = segments
        return found


def of_texts(texts: Sequence[Asked], tokenizer: Tokenizer, length: int) -> Questions:
    """A sequence a text or pair, cut as run_classifier does."""
    found = Questions()
    for number, (text, other) in enumerate(texts):
        made = sequence(tokenizer, tokenizer.ids(text), None if other is None else tokenizer.ids(other), length)
        _add(found, number, made.ids, made.segments)
        if made.cut:
            found.cut.append(number)
    return found


def of_masked(texts: Sequence[Asked], tokenizer: Tokenizer, length: int) -> Questions:
    """The same, with the places of the masked words that were not cut off."""
    found = of_texts(texts, tokenizer, length)
    mask = tokenizer.vocab[MASK]
    found.places = [[(MASK, place) for place, number in enumerate(ids) if number == mask] for ids in found.ids]
    return found


def of_words(texts: Sequence[Asked], tokenizer: Tokenizer, length: int) -> Questions:
    """What lies between white space, each word asked for at its first piece; what is too long goes on in another
    sequence, as in the records that taggers are trained on.
    """
    found = Questions()
    for number, (text, _) in enumerate(texts):
        for part in _parts(text.split(), tokenizer, length - 2):
            ids, places = [tokenizer.vocab[FIRST]], []
            for word, pieces in part:
                places.append((word, len(ids) if pieces else -1))
                ids += pieces
            _add(found, number, [*ids, tokenizer.vocab[END]], [0] * (len(ids) + 1))
            found.places.append(places)
    return found


def _parts(words: Iterable[str], tokenizer: Tokenizer, room: int) -> Iterator[list[tuple[str, list[int]]]]:
    part: list[tuple[str, list[int]]] = []
    size = 0
    for word in words:
        pieces = tokenizer.ids(word)[:room]
        if part and size + len(pieces) > room:
            yield part
            part, size = [], 0
        part.append((word, pieces))
        size += len(pieces)
    if part:
        yield part


def of_questions(
    texts: Sequence[Asked], tokenizer: Tokenizer, length: int, *, query: int, stride: int, words: Words
) -> Questions:
    """The windows of paragraphs, as run_squad makes them.

    Args:
        texts: questions, and their paragraphs.
        tokenizer: of the model.
        length: pieces of a window.
        query: pieces of a question.
        stride: pieces between two windows.
        words: what the tokenizer was made of.

    Raises:
        ValueError: a question leaves no room for its paragraph; its argument is the question's number.
    """
    found = Questions()
    begin, end = [tokenizer.vocab[FIRST]], [tokenizer.vocab[END]]
    for number, (question, context) in enumerate(texts):
        paragraph = Paragraph(context or "", tokenizer)
        asked = tokenizer.ids(question)
        if len(asked) > query:
            found.cut.append(number)
        asked = asked[:query]
        room = length - len(asked) - MARKS
        if room < 1:
            raise ValueError(number)
        told = {
            "context": context or "",
            "words": paragraph.words,
            "pieces": words.spelt(paragraph.ids),
            "word_of_piece": paragraph.word_of_piece(),
            "qas": [{"id": str(number)}],
            **words.said(tokenizer, paragraph.words),
        }
        found.articles.append({"paragraphs": [told]})
        first = len(asked) + 2
        for start in starts_of(len(paragraph.ids), room, stride):
            part = paragraph.ids[start : start + room]
            found.windows.append((number, first, start, len(part)))
            _add(found, number, begin + asked + end + part + end, [0] * first + [1] * (len(part) + 1))
    return found


def _add(found: Questions, number: int, ids: list[int], segments: list[int]) -> None:
    found.ids.append(ids)
    found.segments.append(segments)
    found.of.append(number)
