"""Whether a tokenizer's file is SentencePiece's: it is told from a vocab.txt of WordPiece by how it begins.

A model is a protobuf of pieces (https://github.com/google/sentencepiece, sentencepiece_model.proto), a .vocab beside it
has a piece and its score a line. Both begin with a piece in angle brackets.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bertbuild.checkpoint.user_files import read_regular

MODELS: Final = "*.model"
"""What SentencePiece's models are called."""
_MODEL: Final = re.compile(rb"\n[^\x00]\n[\x03-\x20]<", re.DOTALL)
_SCORES: Final = re.compile(rb"<[^<>\s]{1,30}>\t-?\d")


def is_model(content: bytes) -> bool:
    """Whether a file's content is a model of SentencePiece."""
    return _MODEL.match(content) is not None


def told(content: bytes) -> str:
    """What of SentencePiece's a file's content is, as a clause; "" where it is none."""
    if is_model(content):
        return "is a model of SentencePiece, not a list of WordPiece's words"
    if _SCORES.match(content):
        return "is SentencePiece's list of pieces with their scores, not a list of WordPiece's words"
    return ""


def model_in(folder: Path) -> Path | None:
    """The one model of SentencePiece in a folder; None where there is none, or several."""
    found = [path for path in sorted(folder.glob(MODELS)) if path.is_file() and is_model(read_regular(path))]
    return found[0] if len(found) == 1 else None


def beside(folder: Path) -> str:
    """A sentence on a SentencePiece model in a folder that has no vocab.txt; "" where there is none."""
    for path in sorted(folder.glob(MODELS)):
        if path.is_file():
            if told(read_regular(path)):
                return (
                    f" Its {path.name} is a model of SentencePiece: convert-hf makes a tokenizer of it, other targets "
                    "take ids."
                )
            return f" Its {path.name} is not a SentencePiece model; if it lists words, give it as --vocab {path.name}."
    return ""
