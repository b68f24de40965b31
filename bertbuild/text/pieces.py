"""Text as google-research/albert reads it: its preprocess_text and encode_pieces (tokenization.py), over SentencePiece.

White space becomes single spaces, characters are decomposed (NFKD) and lose what combines with them, and are made small
where that is asked for. Of a piece that ends in a digit and a comma the comma becomes a piece of its own. That code
compares text with bytes where it would take a mark off what is in front of the comma, so under Python 3 it never does.

`PieceTokenizer` cuts text as SentencePiece's Unigram model does (https://github.com/google/sentencepiece,
normalizer.cc and EncodeOptimized of unigram_model.cc), float32 by float32. The stage `tokenizer` holds it to the
package sentencepiece.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from math import fsum, isclose
from struct import Struct
from typing import Final, NamedTuple

from bertbuild.text.charsmap import CharacterMap
from bertbuild.text.wordpiece import Reader

MARK: Final = "\u2581"
"""What SentencePiece has in the place of a space."""
PAD, UNKNOWN, FIRST, END, MASK = "<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"
SPECIAL: Final = (PAD, UNKNOWN, FIRST, END, MASK)
"""The special pieces of google-research/albert's models."""
NORMAL, UNKNOWN_TYPE, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5
"""Types of pieces, of sentencepiece_model.proto."""
_UNKNOWN_PENALTY: Final = 10.0
_LEAST_FLOAT: Final = 2.0**-126
"""FLT_MIN, from which SentencePiece looks for the largest score."""
_FLOAT = Struct("<f")
_TIED: Final = 1e-3
"""Sums of scores that differ by no more are equal but for rounding: float32 has steps of 6e-5 at 1,000."""


class PieceModel(NamedTuple):
    """A model of SentencePiece, as its bytes have it.

    Attributes:
        names: the pieces, in order of their numbers.
        scores: of each, numbers of float32.
        types: of each.
        unigram: whether it is a Unigram model, and cuts text by nothing but its pieces.
        charsmap: a precompiled table of characters; empty for none.
        prefix: whether a mark is put in front of a text.
        spaces_removed: whether several spaces count as one, and those at the ends not at all.
        marks_spaces: whether a mark stands for a space.
        content: the bytes.
    """

    names: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    unigram: bool = True
    charsmap: bytes = b""
    prefix: bool = True
    spaces_removed: bool = True
    marks_spaces: bool = True
    content: bytes = b""


class Reading(Reader):
    """How google-research/albert reads text, whatever cuts a prepared text into pieces.

    Attributes:
        vocab: piece → number.
        lower_case: whether letters are made small.
        unknown: the number of what is no piece.
    """

    def __init__(self, vocab: Mapping[str, int], *, lower_case: bool, special: Iterable[str] = ()) -> None:
        """As `FullTokenizer`."""
        super().__init__(vocab, special)
        self.lower_case = lower_case
        self.unknown = vocab[UNKNOWN]

    def pieces(self, text: str) -> list[str]:
        """A text's pieces; what is unknown is as it stands in the text."""
        found: list[str] = []
        for piece in self.encoded(prepared(text, self.lower_case)):
            found += self._without_comma(piece) if _is_cut_again(piece) else [piece]
        return found

    def encoded(self, text: str) -> list[str]:
        """A prepared text's pieces, as SentencePiece cuts it."""
        raise NotImplementedError

    def cut_again(self) -> dict[int, list[int]]:
        """Number of a piece that ends in a digit and a comma → the numbers of the pieces in its place."""
        known = ((number, piece) for piece, number in self.vocab.items() if _is_cut_again(piece))
        return {number: self._numbers(self._without_comma(piece)) for number, piece in known}

    def _plain(self, text: str) -> list[int]:
        return self._numbers(self.pieces(text))

    def _numbers(self, pieces: Iterable[str]) -> list[int]:
        return [self.vocab.get(piece, self.unknown) for piece in pieces]

    def _without_comma(self, piece: str) -> list[str]:
        return [*self.encoded(piece[:-1].replace(MARK, "")), ","]


class PieceTokenizer(Reading):
    """Text → numbers of pieces, without the package sentencepiece."""

    def __init__(self, model: PieceModel, *, lower_case: bool, special: Iterable[str] = ()) -> None:
        super().__init__(numbered(model), lower_case=lower_case, special=special)
        self._normalizer = _Normalizer(model)
        normal = [score for score, kind in zip(model.scores, model.types, strict=True) if kind == NORMAL]
        most = max([_LEAST_FLOAT, *normal])
        self._unknown_score = _rounded(min(normal, default=0.0) - _UNKNOWN_PENALTY)
        self._scores: dict[str, float] = {}
        self._beginnings: set[str] = set()
        for name, score, kind in zip(model.names, model.scores, model.types, strict=True):
            if kind in (NORMAL, USER_DEFINED):
                symbol = kind == USER_DEFINED
                self._scores[name] = _rounded(len(name.encode()) * most) - 0.1 if symbol else score
                self._beginnings.update(name[:size] for size in range(1, len(name) + 1))

    def encoded(self, text: str) -> list[str]:
        """The path of the highest sum of scores; what is unknown and stands together is one piece."""
        text = self._normalizer(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        begins, known = self._path(text)
        found: list[str] = []
        was_known, end = True, len(text)
        while end:
            begin = begins[end]
            if known[end] or was_known:
                found.append(text[begin:end])
            else:
                found[-1] = text[begin:end] + found[-1]
            was_known, end = known[end], begin
        return found[::-1]

    def ties(self, text: str, ids: Sequence[int]) -> bool:
        """Whether other pieces of a text are as likely as its own: rounding decides between them, float32 here and
        float64 elsewhere.

        Args:
            text: what was read.
            ids: of the other pieces.
        """
        names = {number: piece for piece, number in self.vocab.items()}
        own = [piece if piece in self.vocab else UNKNOWN for piece in self.pieces(text)]
        other = [names[one] for one in ids]
        sums = (fsum(self._scores.get(piece, self._unknown_score) for piece in found) for found in (own, other))
        return "".join(own) == "".join(other) and isclose(*sums, rel_tol=0.0, abs_tol=_TIED)

    def beyond_numbers(self) -> str:
        """Why the numbers that SentencePiece gives do not tell the numbers that google-research/albert takes, as a
        clause: it looks pieces up by their text, also what is unknown. "" where they tell them.
        """
        if "," not in self._scores:
            return "it has no piece for a comma, which is cut off behind a digit that is unknown too"
        apart = (name for name in self.vocab if name not in self._scores and name != UNKNOWN)
        as_text = [name for name in apart if prepared(name, self.lower_case) == name]
        found = [name for name in as_text if self._scores.keys().isdisjoint(name)]
        return (
            f"it has no piece for any character of {found[0]}, which is then taken for one in a text" if found else ""
        )

    def _path(self, text: str) -> tuple[list[int], list[bool]]:
        """For each place where a piece of the best path up to there ends, where it begins, and whether it is known."""
        size = len(text)
        best, begins, known = [0.0] * (size + 1), [-1] * (size + 1), [True] * (size + 1)
        for begin in range(size):
            here, single = best[begin], False
            for end in range(begin + 1, size + 1):
                piece = text[begin:end]
                if piece not in self._beginnings:
                    break
                score = self._scores.get(piece)
                if score is None:
                    continue
                single = single or end == begin + 1
                if begins[end] < 0 or here + score > best[end]:
                    best[end], begins[end], known[end] = _rounded(here + score), begin, True
            if not single:
                end, total = begin + 1, _rounded(here + self._unknown_score)
                if begins[end] < 0 or total > best[end]:
                    best[end], begins[end], known[end] = total, begin, False
        return begins, known


class _Normalizer:
    """What SentencePiece makes of a text before it looks for pieces."""

    def __init__(self, model: PieceModel) -> None:
        self._model = model
        self._map = CharacterMap(model.charsmap) if model.charsmap else None
        symbols = (name for name, kind in zip(model.names, model.types, strict=True) if kind == USER_DEFINED)
        self._symbols: dict[str, list[str]] = {}
        for symbol in sorted(symbols, key=len, reverse=True):
            self._symbols.setdefault(symbol[0], []).append(symbol)

    def __call__(self, text: str) -> str:
        found: list[str] = []
        parts = self._parts(text)
        removed = was_space = self._model.spaces_removed
        for part in parts:
            kept = part.lstrip(" ") if was_space else part
            found.append(kept)
            was_space = removed and (kept.endswith(" ") if kept else was_space)
        whole = "".join(found)
        if not whole and removed:
            return ""
        whole = (" " if self._model.prefix and text else "") + whole
        return (whole.rstrip(" ") if removed else whole).replace(" ", MARK)

    def _parts(self, text: str) -> Iterable[str]:
        """What stands for each part of a text: a piece of the user's, or what the table has for the longest part."""
        place = 0
        while place < len(text):
            char = text[place]
            symbol = next((one for one in self._symbols.get(char, ()) if text.startswith(one, place)), None)
            if symbol is not None:
                part, size = symbol, len(symbol)
            else:
                part, size = (self._map and self._map.longest(text, place)) or (char, 1)
            yield part
            place += size


def numbered(model: PieceModel) -> dict[str, int]:
    """Piece → number."""
    return {name: number for number, name in enumerate(model.names)}


def prepared(text: str, lower_case: bool) -> str:
    """A text before it is cut into pieces."""
    text = unicodedata.normalize("NFKD", " ".join(text.split()))
    text = "".join(one for one in text if not unicodedata.combining(one))
    return text.lower() if lower_case else text


def _is_cut_again(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _rounded(value: float) -> float:
    """The nearest number of float32."""
    return float(_FLOAT.unpack(_FLOAT.pack(value))[0])
