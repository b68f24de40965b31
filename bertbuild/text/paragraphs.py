"""A paragraph's words and pieces, and where its windows begin, as run_squad.py has them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

MARKS = 3  # of a sequence: [CLS] question [SEP] paragraph [SEP]
_WORD = re.compile("[^ \t\r\n\u202f]+")  # upstream's words: what lies between these spaces and no others


class Tokenizer(Protocol):
    """What turns text into the numbers of its pieces."""

    def ids(self, text: str) -> list[int]:
        """Those of a text: a new list."""

    def ids_of_each(self, parts: list[str]) -> Iterable[Sequence[int]]:
        """Those of each of some texts without a space."""


class Paragraph:
    """A paragraph's words and pieces, found once for all its questions."""

    def __init__(self, context: str, tokenizer: Tokenizer) -> None:
        words = list(_WORD.finditer(context))
        self._ids_of = tokenizer.ids
        self._context = context
        self._size = len(context)
        self.words = [word[0] for word in words]
        self._begins = [word.start() for word in words]
        self.ids: list[int] = []
        self._pieces: list[int] = []  # for each word, its first piece
        for ids in tokenizer.ids_of_each(self.words):
            self._pieces.append(len(self.ids))
            self.ids += ids

    def word_of_piece(self) -> list[int]:
        """For each piece, the number of its word."""
        ends = [*self._pieces[1:], len(self.ids)] if self._pieces else []
        return [
            number for number, (low, high) in enumerate(zip(self._pieces, ends, strict=True)) for _ in range(low, high)
        ]

    def span(self, start: int, answer: str) -> tuple[int, int] | None:
        """First and last piece of an answer that begins at a character; None where it is not to be found there."""
        size, after = self._size, start + len(answer) - 1
        if not self.words or not (-size <= start < size and -size <= after < size):
            return None
        first, last = self._word_at(start), self._word_at(after)
        if " ".join(answer.split()) not in " ".join(self.words[first : last + 1]):
            return None
        begin = self._pieces[first]
        end = self._pieces[last + 1] - 1 if last < len(self.words) - 1 else len(self.ids) - 1
        return self._narrowed(begin, end, self._ids_of(answer), self._context[self._begins[first] : start % size])

    def has(self, start: int, answer: str) -> bool:
        """Whether just this text stands at a character."""
        start %= self._size
        return self._context[start : start + len(answer)] == answer

    def _word_at(self, place: int) -> int:
        """The number of the last word that begins at or before a character; a place below 0 counts from the end."""
        return bisect_right(self._begins, place % self._size) - 1

    def _narrowed(self, begin: int, end: int, answer: list[int], before: str) -> tuple[int, int]:
        """The part of a span whose pieces are just the answer's, or the span: words may hold more than the answer.

        Where it is there several times, as in text that is written without spaces, the one that the text `before` the
        answer leads to is meant. Upstream takes the first, whatever its answer_start says.
        """
        count = len(answer)
        places = [first for first in range(begin, end + 2 - count) if self.ids[first : first + count] == answer]
        if not places:
            return begin, end
        if len(places) > 1:
            meant = begin + len(self._ids_of(before))
            places.sort(key=lambda place: abs(place - meant))
        return places[0], places[0] + count - 1


def starts_of(count: int, room: int, stride: int) -> Iterator[int]:
    """Where the windows of `count` pieces begin."""
    start = 0
    while start < count:
        yield start
        if start + room >= count:
            return
        start += min(room, stride)
