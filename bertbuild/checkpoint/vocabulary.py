"""vocab.txt beside the model's table of words, and the two ways in which programs number lines that are there twice.
A model of SentencePiece may stand in its place: its pieces have their numbers.

google-research/bert's tokenization.py, the Model Garden and Hugging Face number the lines: the last of two equal ones
counts. bert-tensorflow 1.0.4, the package of the former, numbers the words: the first counts, the second has no number,
and every later word's is one smaller. A line ends at LF alone and is stripped of white space.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from bertbuild.checkpoint import sentencepiece
from bertbuild.checkpoint.user_files import read_regular, require_utf8
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.families.bert_names import VOCAB_FILE
from bertbuild.plural import are, number_of
from bertbuild.text.pieces import PieceModel

LINES: Final = "lines"
BERT_TENSORFLOW: Final = "bert-tensorflow"
READINGS: Final = (LINES, BERT_TENSORFLOW)
_NAMED, _LONGEST = 3, 40  # duplicates that a sentence names, and how much of each


@dataclass(frozen=True)
class Vocabulary:
    """The lines of a vocab.txt, stripped."""

    words: tuple[str, ...]

    @cached_property
    def duplicates(self) -> dict[str, tuple[int, ...]]:
        """Each word that is there more than once → the numbers of its lines, from 1; an empty line is not a word."""
        places: dict[str, list[int]] = {}
        if len(set(self.words)) < len(self.words):
            for number, word in enumerate(self.words, 1):
                places.setdefault(word, []).append(number)
        return {word: tuple(numbers) for word, numbers in places.items() if word and len(numbers) > 1}

    @property
    def lines(self) -> int:
        """How many there are."""
        return len(self.words)

    @cached_property
    def different(self) -> int:
        """How many different ones there are."""
        return len(set(self.words))

    @cached_property
    def ambiguous(self) -> bool:
        """Whether the two readings give any word two numbers."""
        if self.different == self.lines:
            return False
        by_line = {word: number for number, word in enumerate(self.words)}
        by_word = {word: number for number, word in enumerate(dict.fromkeys(self.words))}
        return any(by_line[word] != number for word, number in by_word.items() if word)

    def reading(self, rows: int | None) -> str | None:
        """The reading that a word table of so many rows was made with; None where the rows do not tell."""
        if not self.ambiguous or rows == self.lines:
            return LINES
        return BERT_TENSORFLOW if rows == self.different else None

    def told(self, rows: int | None) -> str:
        """A sentence on duplicate lines, which there must be, and on what follows from the rows of the word table."""
        named = [f"{word[:_LONGEST]} at {' and '.join(map(str, numbers))}" for word, numbers in self.duplicates.items()]
        named = [*named[:_NAMED], *(["…"] if len(named) > _NAMED else [])] or ["empty ones"]
        counts = f"vocab.txt has duplicate lines ({'; '.join(named)}): {self.lines} lines, {self.different} different"
        if not self.ambiguous:
            return f"{counts}; no word's number depends on how they are counted."
        reading = self.reading(rows)
        if reading is None:
            table = "nothing tells" if rows is None else f"the word table's {rows} rows do not tell"
            return f"{counts}; {table} whether a word's number is that of its line."
        what = "numbers of lines" if reading == LINES else "numbers of words, as bert-tensorflow 1.0.4 counts them"
        return f"{counts}; the word table has {rows} rows, so its rows are {what}."


@lru_cache(maxsize=2)  # of a fleet, many models share a vocabulary, and each is read for every target
def read_vocabulary(content: bytes) -> Vocabulary:
    """The lines of a file; what follows the last LF is one only if it is not empty."""
    lines = content.decode("utf-8", "replace").split("\n")
    return Vocabulary(tuple(map(str.strip, lines if lines[-1] else lines[:-1])))


def chosen_reading(path: Path, rows: int | None, asked: str) -> tuple[str, str]:
    """How the lines of a vocab.txt are numbered, and a sentence on it; both empty where there is but one way, as of a
    model of SentencePiece.

    Args:
        path: the file, called vocab.txt where it is one.
        rows: of the model's word table, None where there is no model.
        asked: one of `READINGS`, or empty.

    Raises:
        CheckpointError: the file cannot be read, or is not UTF-8.
        UsageError: `asked` is neither, or asked of a model of SentencePiece; or nothing is asked, and the rows do not
            tell.
    """
    if asked and asked not in READINGS:
        raise UsageError(
            f"--vocab-reading must be one of {', '.join(READINGS)} (got {asked!r}).", next_step="Give one of them."
        )
    try:
        vocabulary = None if is_pieces(path) else _read(path)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {error.strerror}.", next_step="Check that the file exists and may be read."
        ) from error
    if vocabulary is None:
        pieces_of(path)
        if asked:
            raise UsageError(
                f"--vocab-reading numbers the lines of a vocab.txt, and {path} is a model of SentencePiece.",
                next_step="Leave it out.",
            )
        return "", ""
    if not vocabulary.ambiguous:
        return "", ""
    reading = asked or vocabulary.reading(rows)
    if reading is None:
        raise UsageError(
            f"{path}: {vocabulary.told(rows)}",
            next_step=f"Say how the model was trained: --vocab-reading {LINES} (google-research/bert's file, the Model "
            f"Garden, Hugging Face) or --vocab-reading {BERT_TENSORFLOW} (the package bert-tensorflow 1.0.4).",
        )
    said = f" Read by {reading}, as was asked." if asked else ""
    return reading, vocabulary.told(rows) + said


def is_pieces(path: Path) -> bool:
    """Whether a file is a model of SentencePiece, and is not called as if it were none."""
    return path.name != VOCAB_FILE and sentencepiece.is_model(read_regular(path))


def pieces_of(path: Path) -> PieceModel:
    """What a model of SentencePiece holds. Raises `CheckpointError` where text cannot be read with it."""
    try:
        return sentencepiece.read_model(read_regular(path))
    except ValueError as error:
        raise CheckpointError(
            f"{path} {error}.", next_step="Give the file that came with the model: its .model, or its vocab.txt."
        ) from error


def _read(path: Path) -> Vocabulary:
    """A vocabulary that text is to be read with. Raises `CheckpointError` for what is not UTF-8, and OSError."""
    content = read_regular(path)
    odd = sentencepiece.told(content)
    if odd:
        raise CheckpointError(
            f"{path} {odd}.",
            next_step="Give the model's vocab.txt; a model of SentencePiece is called FILE.model, as spiece.model.",
        )
    require_utf8(content, path, "Give the vocab.txt that came with the model.")
    return read_vocabulary(content)


def count_lines(path: Path) -> int:
    """The lines of a vocabulary. LF alone ends one: vocabularies hold other characters that Unicode calls line ends."""
    return read_vocabulary(read_regular(path)).lines


def vocabulary_warning(name: str, lines: int, words: int) -> str:
    """The sentence on a vocabulary that has not as many lines as the model's table has words; "" for one that has.

    Tables are padded to a multiple of 8 and grow by added tokens, so a shorter vocabulary is usual. A longer one names
    words that the model does not know; it matters where text is turned into ids.
    """
    counted, known = number_of(lines, "line"), number_of(words, "word")
    if lines < words:
        nameless = f"{words - lines} {are(words - lines, 'has', 'have')}"
        return f"{name} has {counted} and the model's table {known}: the last {nameless} no name."
    if lines > words:
        return f"{name} has {counted}, but the model knows {known}: it is of another model, or was added to."
    return ""


def pieces_warning(path: Path, words: int) -> str:
    """The sentence on a model of SentencePiece that has fewer pieces than the model's table has words, else ""."""
    pieces = len(pieces_of(path).names)
    if pieces >= words:
        return ""
    nameless = f"{words - pieces} {are(words - pieces, 'has', 'have')}"
    return (
        f"{path.name} has {number_of(pieces, 'piece')} and the model's table {number_of(words, 'word')}: "
        f"the last {nameless} no name."
    )


def require_words(vocab: Path, words: int, reading: str = "") -> None:
    """Raise `CheckpointError` where a vocabulary that text is to be read with has more words than the model.

    `reading` is how its lines are numbered, where that was said; else the model's words may tell.
    """
    if is_pieces(vocab):
        require_pieces(vocab, words)
        return
    found = _read(vocab)
    if (reading or found.reading(words)) == BERT_TENSORFLOW and found.different <= words:
        return
    if found.lines > words:
        fits = found.different <= words and not reading
        raise CheckpointError(
            f"{vocab} has {number_of(found.lines, 'line')}, but the model knows {number_of(words, 'word')}: some text "
            "would get ids that it has not.",
            next_step="Give the vocab.txt that came with the model."
            + (f" Read by {BERT_TENSORFLOW}, it fits: --vocab-reading {BERT_TENSORFLOW}." if fits else ""),
        )


def require_pieces(path: Path, words: int) -> None:
    """Raise `CheckpointError` where a model of SentencePiece cannot be read, or has more pieces than the model rows."""
    pieces = len(pieces_of(path).names)
    if pieces > words:
        raise CheckpointError(
            f"{path} has {number_of(pieces, 'piece')}, but the model knows {number_of(words, 'word')}: some text would "
            "get ids that it has not.",
            next_step="Give the .model that came with the model.",
        )
