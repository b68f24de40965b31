"""What reads text by the file of a tokenizer, told by what is in it: WordPiece, or google-research/albert's pieces."""

from pathlib import Path

from stage import StageInputError
from vocabulary import load_vocab

from bertbuild.checkpoint import sentencepiece, tokenizer_file
from bertbuild.text.words import Pieces
from stages._sentencepiece import SentencePiece
from stages._wordpiece import WordPiece

LONGEST_WORD = 400  # characters; the Model Garden's: a longer one is unknown


def read_words(path, reading=None):
    """What the file holds, a `Words`.

    Raises:
        StageInputError: it is no tokenizer's, or a vocab.txt can be read in two ways and no `reading` is given.
    """
    content = Path(path).read_bytes()
    if not sentencepiece.is_model(content):
        load_vocab(path, reading)  # which refuses
    try:
        return tokenizer_file.read_words(content, reading or "")
    except ValueError as error:
        raise StageInputError("%s %s" % (path, error)) from error


def tokenizer_of(path, words, lower_case, reading=None, longest=LONGEST_WORD):
    """What reads text.

    Args:
        path: of the file.
        words: what it holds.
        lower_case: whether letters are made small.
        reading: how equal lines of a vocab.txt are numbered.
        longest: characters; a longer word of WordPiece is unknown.
    """
    if isinstance(words, Pieces):
        return SentencePiece(path, words.model, lower_case)
    return WordPiece(load_vocab(path, reading), lower_case=lower_case, longest=longest)


def packages(words):
    """The packages that read text, for the report."""
    return ("sentencepiece",) if isinstance(words, Pieces) else ("tokenizers",)
