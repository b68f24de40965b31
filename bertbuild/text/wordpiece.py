"""google-research/bert's FullTokenizer, number for number, and the sequences that its programs make of texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from bertbuild.text.basic_words import BasicWords

PAD, UNKNOWN, FIRST, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL: Final = (PAD, UNKNOWN, FIRST, END, MASK)
"""The special tokens of BERT's vocabularies."""
LONGEST_WORD: Final = 200
"""Characters; a longer word is unknown. google-research/bert's number."""
CONTINUED: Final = "##"
"""How a piece begins that goes on a word."""


class Sequenced(NamedTuple):
    """One or two texts as a model takes them, without padding; `cut`: whether pieces were left out to fit."""

    ids: list[int]
    segments: list[int]
    cut: bool


class Reader:
    """What reads text as numbers of pieces; how it cuts what has no special tokens is `_plain`'s.

    Args:
        vocab: piece → number.
        special: pieces that are special tokens where they stand in a text; google-research's models have none such.
    """

    def __init__(self, vocab: Mapping[str, int], special: Iterable[str]) -> None:
        self.vocab = vocab
        found = [piece for piece in special if piece in vocab]
        self._special = re.compile(f"({'|'.join(map(re.escape, found))})") if found else None

    def ids(self, text: str) -> list[int]:
        """The numbers of a text's pieces: a new list."""
        if self._special is None:
            return self._plain(text)
        parts = self._special.split(text)  # at odd places stand the special pieces
        return [
            number
            for place, part in enumerate(parts)
            for number in ([self.vocab[part]] if place % 2 else self._plain(part))
        ]

    def ids_of_each(self, parts: Iterable[str]) -> list[list[int]]:
        """The numbers of each of some texts."""
        return [self.ids(part) for part in parts]

    def _plain(self, text: str) -> list[int]:
        raise NotImplementedError


class FullTokenizer(Reader):
    """Text → numbers of pieces.

    Args:
        vocab: piece → number.
        lower_case: whether letters are made small, and accents taken off.
        special: see `Reader`.
    """

    def __init__(self, vocab: Mapping[str, int], *, lower_case: bool, special: Iterable[str] = ()) -> None:
        super().__init__(vocab, special)
        self.words = BasicWords(lower_case)
        self._unknown = vocab[UNKNOWN]
        self._known: dict[str, list[int]] = {}
        self._longest = max(map(len, vocab), default=0)

    def _plain(self, text: str) -> list[int]:
        return [number for word in self.words(text) for number in self._word(word)]

    def _word(self, word: str) -> list[int]:
        found = self._known.get(word)
        if found is None:
            found = self._known[word] = self._cut(word)
        return found

    def _cut(self, word: str) -> list[int]:
        """The longest piece that the vocabulary has, again and again; upstream's WordpieceTokenizer."""
        if len(word) > LONGEST_WORD:
            return [self._unknown]
        numbers, start = [], 0
        while start < len(word):
            for end in range(min(len(word), start + self._longest), start, -1):  # no piece is longer
                number = self.vocab.get((CONTINUED if start else "") + word[start:end])
                if number is not None:
                    numbers.append(number)
                    start = end
                    break
            else:
                return [self._unknown]
        return numbers


class HasVocabulary(Protocol):
    """What has the numbers of the special tokens."""

    @property
    def vocab(self) -> Mapping[str, int]:
        """Piece → number."""


def sequence(tokenizer: HasVocabulary, first: Sequence[int], second: Sequence[int] | None, length: int) -> Sequenced:
    """[CLS] first [SEP] second [SEP], cut to a length as run_classifier does: at the end of the longer text.

    Args:
        tokenizer: what made the numbers.
        first: of a text's pieces.
        second: of the text that goes with it, None where there is none.
        length: pieces at most, special tokens counted.
    """
    kept_first, kept_second = _kept(len(first), len(second or ()), length - (2 if second is None else 3))
    begin, end = tokenizer.vocab[FIRST], tokenizer.vocab[END]
    ids = [begin, *first[:kept_first], end]
    segments = [0] * len(ids)
    cut = kept_first < len(first)
    if second is not None:
        ids += [*second[:kept_second], end]
        segments += [1] * (kept_second + 1)
        cut = cut or kept_second < len(second)
    return Sequenced(ids=ids, segments=segments, cut=cut)


def _kept(first: int, second: int, room: int) -> tuple[int, int]:
    """How many pieces are left of two texts: the longer one loses its last, and of equal ones the second."""
    too_many = max(first + second - room, 0)
    from_longer = min(too_many, abs(first - second))
    if first > second:
        first -= from_longer
    else:
        second -= from_longer
    rest = too_many - from_longer
    return first - rest // 2, second - (rest + 1) // 2


def numbered(words: Sequence[str], *, by_word: bool) -> dict[str, int]:
    """Piece → number, of the lines of a vocab.txt; of equal lines the last one counts, or with `by_word` none but the
    first is a line (bert-tensorflow 1.0.4).
    """
    return {word: number for number, word in enumerate(dict.fromkeys(words) if by_word else words)}
