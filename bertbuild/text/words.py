"""What the file of a tokenizer holds, told by the file and not by the model's family: `WordPieces` of a vocab.txt,
`Pieces` of a model of SentencePiece. Whoever reads text asks it for a tokenizer, and need not know which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Protocol

from bertbuild.text import pieces, wordpiece
from bertbuild.text.pieces import PieceModel, PieceTokenizer
from bertbuild.text.pieces_json import pieces_json
from bertbuild.text.tokenizer_json import can_be_written, tokenizer_json
from bertbuild.text.wordpiece import FullTokenizer

VOCAB_FILE: Final = "vocab.txt"
PIECES_FILE: Final = "spiece.model"
TOKENIZER_FILES: Final = (VOCAB_FILE, PIECES_FILE)
"""What a target's folder calls the file of its tokenizer."""
ROLES: Final = ("pad", "unknown", "first", "end", "mask")
"""What text.json calls the special tokens, in the order in which each kind of file lists its own."""
OF_MARKS: Final = ("[", "<")
"""How special tokens and other marks begin ([CLS], <S>)."""


class Tokenizer(Protocol):
    """What turns a text into numbers."""

    @property
    def vocab(self) -> Mapping[str, int]:
        """Piece → number."""

    def ids(self, text: str) -> list[int]:
        """The numbers of a text's pieces: a new list."""

    def ids_of_each(self, parts: Iterable[str]) -> list[list[int]]:
        """The numbers of each of some texts."""


class Words(Protocol):
    """What a tokenizer's file holds.

    Attributes:
        file: what a target's folder calls the file.
        upstream: whose reading of text it is held to.
        special: its special tokens, in the order of `ROLES`.
        vocab: piece → number.
    """

    @property
    def file(self) -> str: ...  # noqa: D102 - said above
    @property
    def upstream(self) -> str: ...  # noqa: D102
    @property
    def special(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def vocab(self) -> Mapping[str, int]: ...  # noqa: D102

    def lower_cases(self) -> bool:
        """Whether it is of lower-cased words."""

    def tokenizer(self, *, lower_case: bool, special: Iterable[str] = ()) -> Tokenizer:
        """What reads text; `special` are tokens that are such where they stand in a text."""

    def spelt(self, ids: Sequence[int]) -> list[str]:
        """Pieces as run_squad spells them: one that goes on a word begins with `##`."""

    def said(self, tokenizer: Tokenizer, words: Iterable[str]) -> dict[str, list[str]]:
        """What `answer_spans` is told of each word of a paragraph as it was read; nothing of google-research/bert's."""

    def tokenizer_json(self, *, lower_case: bool, max_seq_length: int, special: bool = False) -> str | None:
        """tokenizer.json; None where it cannot be written."""

    def preprocessing(self, *, lower_case: bool) -> dict[str, Any]:
        """How text is cut, for text.json."""


class WordPieces:
    """The lines of a vocab.txt.

    Args:
        words: the lines.
        by_word: how equal lines are numbered, as `wordpiece.numbered`.
    """

    file = VOCAB_FILE
    upstream = "google-research/bert"
    special = wordpiece.SPECIAL

    def __init__(self, words: Sequence[str], *, by_word: bool = False) -> None:
        self._words = words
        self.vocab = wordpiece.numbered(words, by_word=by_word)

    @cached_property
    def _names(self) -> dict[int, str]:
        return {number: piece for piece, number in self.vocab.items()}

    def lower_cases(self) -> bool:
        """Whether but for marks no word has a capital."""
        return lower_cases(self._words)

    def tokenizer(self, *, lower_case: bool, special: Iterable[str] = ()) -> FullTokenizer:
        """google-research/bert's."""
        return FullTokenizer(self.vocab, lower_case=lower_case, special=special)

    def spelt(self, ids: Sequence[int]) -> list[str]:
        """The pieces themselves."""
        return [self._names[one] for one in ids]

    def said(self, tokenizer: Tokenizer, words: Iterable[str]) -> dict[str, list[str]]:
        """Nothing: pieces are parts of google-research/bert's basic words."""
        del tokenizer, words
        return {}

    def tokenizer_json(self, *, lower_case: bool, max_seq_length: int, special: bool = False) -> str | None:
        """tokenizer.json, of a vocabulary that has what the file names."""
        if not can_be_written(self.vocab):
            return None
        return tokenizer_json(self.vocab, lower_case=lower_case, max_seq_length=max_seq_length, special=special)

    def preprocessing(self, *, lower_case: bool) -> dict[str, Any]:
        """Basic words, then WordPiece."""
        return {
            "tokenizer": "google-research/bert FullTokenizer: BasicTokenizer, then WordpieceTokenizer",
            "split_chinese": True,
            "strip_accents": lower_case,
            "continued": wordpiece.CONTINUED,
            "longest_word": wordpiece.LONGEST_WORD,
            "truncation": "run_classifier._truncate_seq_pair",
        }


class Pieces:
    """A model of SentencePiece."""

    file = PIECES_FILE
    upstream = "google-research/albert"
    special = pieces.SPECIAL

    def __init__(self, model: PieceModel) -> None:
        self.model = model
        self.vocab = pieces.numbered(model)

    def lower_cases(self) -> bool:
        """Whether but for special ones no piece has a capital."""
        return all(name == name.lower() for name in self.model.names if name not in self.special)

    def tokenizer(self, *, lower_case: bool, special: Iterable[str] = ()) -> PieceTokenizer:
        """google-research/albert's."""
        return PieceTokenizer(self.model, lower_case=lower_case, special=special)

    def spelt(self, ids: Sequence[int]) -> list[str]:
        """The pieces without their marks; those that have none go on a word."""
        names = (self.model.names[one] for one in ids)
        return [name[1:] if name.startswith(pieces.MARK) else wordpiece.CONTINUED + name for name in names]

    def said(self, tokenizer: Tokenizer, words: Iterable[str]) -> dict[str, list[str]]:
        """Each word as its pieces spell it."""
        read = (" ".join(self.spelt(ids)) for ids in tokenizer.ids_of_each(words))
        return {"said": [text.replace(f" {wordpiece.CONTINUED}", "").strip() for text in read]}

    def tokenizer_json(self, *, lower_case: bool, max_seq_length: int, special: bool = False) -> str | None:
        """tokenizer.json."""
        return pieces_json(self.model, lower_case=lower_case, max_seq_length=max_seq_length, special=special)

    def preprocessing(self, *, lower_case: bool) -> dict[str, Any]:
        """Accents are taken off whether or not letters are made small."""
        del lower_case
        return {
            "tokenizer": "google-research/albert: preprocess_text, then encode_pieces of SentencePiece",
            "strip_accents": True,
            "space": pieces.MARK,
            "truncation": "run_classifier._truncate_seq_pair",
        }


def pad_of(words: Words) -> int:
    """The number that fills up a sequence: 0 where the file has no piece for it."""
    return words.vocab.get(words.special[ROLES.index("pad")], 0)


def lower_cases(words: Sequence[str]) -> bool:
    """Whether a vocabulary is of lower-cased words: but for marks no word has a capital."""
    return all(word == word.lower() for word in words if not word.startswith(OF_MARKS))
