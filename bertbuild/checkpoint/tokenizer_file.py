"""The file that a model's text is read with, found in its folder and told by what is in it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from bertbuild.checkpoint import sentencepiece
from bertbuild.checkpoint.user_files import read_regular
from bertbuild.checkpoint.vocabulary import BERT_TENSORFLOW, read_vocabulary
from bertbuild.families.bert_names import OTHER_VOCAB, VOCAB_FILE
from bertbuild.text.words import Pieces, WordPieces, Words


def tokenizer_in(folder: Path) -> Path | None:
    """A folder's vocab.txt, else its one model of SentencePiece; None where there is neither."""
    words = next((folder / name for name in (VOCAB_FILE, OTHER_VOCAB) if (folder / name).is_file()), None)
    return words or sentencepiece.model_in(folder)


def is_lower_cased(path: Path) -> bool:
    """Whether a tokenizer's file, which can be read, is of lower-cased words."""
    return read_words(read_regular(path)).lower_cases()


@lru_cache(maxsize=2)  # of a fleet, many models share a file, and each is read for every target
def read_words(content: bytes, reading: str = "") -> Words:
    """What a tokenizer's file holds.

    Args:
        content: of a vocab.txt or of a model of SentencePiece.
        reading: how equal lines of a vocab.txt are numbered.

    Raises:
        ValueError: a model of SentencePiece that cannot be read; a clause says why.
    """
    if sentencepiece.is_model(content):
        return Pieces(sentencepiece.read_model(content))
    return WordPieces(read_vocabulary(content).words, by_word=reading == BERT_TENSORFLOW)
