"""How many lines a vocab.txt has, and what that means beside the model's table of words."""

from __future__ import annotations

from pathlib import Path

from bertbuild.errors import CheckpointError


def count_lines(path: Path) -> int:
    """The lines of a vocabulary. LF alone ends one: vocabularies hold other characters that Unicode calls line ends."""
    text = path.read_bytes()
    return text.count(b"\n") + (not text.endswith(b"\n") and text != b"")


def vocabulary_warning(name: str, lines: int, words: int) -> str:
    """The sentence on a vocabulary that has not as many lines as the model's table has words; "" for one that has.

    Tables are padded to a multiple of 8 and grow by added tokens, so a shorter vocabulary is usual. A longer one names
    words that the model does not know; it matters where text is turned into ids.
    """
    if lines < words:
        return f"{name} has {lines} lines and the model's table {words} words: the last {words - lines} have no name."
    if lines > words:
        return f"{name} has {lines} lines, but the model knows {words} words: it is of another model, or was added to."
    return ""


def require_words(vocab: Path, words: int) -> None:
    """Raise `CheckpointError` where a vocabulary that text is to be read with has more words than the model."""
    lines = count_lines(vocab)
    if lines > words:
        raise CheckpointError(
            f"{vocab} has {lines} lines, but the model knows {words} words: some text would get ids that it has not.",
            next_step="Give the vocab.txt that came with the model.",
        )
