"""Whether a tokenizer's file is SentencePiece's, and what a model of it holds.

It is told from a vocab.txt of WordPiece by how it begins. A model is a protobuf of pieces
(https://github.com/google/sentencepiece, sentencepiece_model.proto), a .vocab beside it has a piece and its score a
line. Both begin with a piece in angle brackets.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bertbuild.checkpoint.user_files import open_regular
from bertbuild.graph.wire import FIXED32, LENGTH_DELIMITED, Field, fields
from bertbuild.text.charsmap import CharacterMap
from bertbuild.text.pieces import END, FIRST, NORMAL, UNKNOWN, PieceModel

MODELS: Final = "*.model"
"""What SentencePiece's models are called."""
NEEDED: Final = (UNKNOWN, FIRST, END)
_MODEL: Final = re.compile(rb"\n[^\x00]\n[\x03-\x20]<", re.DOTALL)
_TELLING: Final = 64
"""Bytes of a file that tell whether it is a model."""
_SCORES: Final = re.compile(rb"<[^<>\s]{1,30}>\t-?\d")
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of ModelProto
_UNIGRAM: Final = 1
_TRAINED: Final[Mapping[int, int]] = {3: _UNIGRAM, 24: 0, 35: 0}
"""Fields of TrainerSpec that say how text is cut, with their defaults: model_type, treat_whitespace_as_suffix,
byte_fallback.
"""
_NORMALIZED: Final[Mapping[int, int]] = {3: 1, 4: 1, 5: 1}
"""Those of NormalizerSpec: add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces."""
_CHARSMAP: Final = 2
_MOST: Final = 1e9
"""Scores are logarithms of probabilities, some 10 below 0."""


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
    found = models_in(folder)
    return found[0] if len(found) == 1 else None


def models_in(folder: Path) -> list[Path]:
    """The models of SentencePiece in a folder, by their names."""
    return [path for path in sorted(folder.glob(MODELS)) if path.is_file() and is_model(_beginning(path))]


def _beginning(path: Path) -> bytes:
    """As much of a file as tells what it is: other programs call files of gigabytes so."""
    with open_regular(path) as file:
        return file.read(_TELLING)


def read_model(content: bytes) -> PieceModel:
    """What a model holds, for the tokenizer.

    Raises:
        ValueError: it is cut off or of another form, or of a kind that google-research/albert's are not; a clause says
            what it is.
    """
    try:
        parts = list(fields(content))
        pieces = [_piece(content, part) for part in parts if part.number == _PIECES]
        trained = _numbers(content, parts, _TRAINER, _TRAINED)
        normalized = _numbers(content, parts, _NORMALIZER, _NORMALIZED)
        charsmaps = [content[one.start : one.end] for one in _inside(content, parts, _NORMALIZER, _CHARSMAP)]
        for charsmap in filter(None, charsmaps):  # of the rule "identity" there is an empty one
            CharacterMap(charsmap)
    except ValueError as error:  # also of the wire, and of what is no UTF-8
        raise ValueError("is damaged: it is no whole model of SentencePiece") from error
    names = tuple(name for name, _, _ in pieces)
    model = PieceModel(
        names=names,
        scores=tuple(score for _, score, _ in pieces),
        types=tuple(kind for _, _, kind in pieces),
        unigram=trained == dict(_TRAINED),
        charsmap=charsmaps[-1] if charsmaps else b"",
        prefix=bool(normalized[3]),
        spaces_removed=bool(normalized[4]),
        marks_spaces=bool(normalized[5]),
        content=content,
    )
    lacking = [piece for piece in NEEDED if piece not in names]
    if not model.unigram or not model.prefix or not model.marks_spaces or lacking:
        why = f"has no {' and no '.join(lacking)}" if lacking else "is no unigram model with a mark in front"
        raise ValueError(f"{why}, as those of google-research/albert have")
    if not all(names) or len(set(names)) < len(names) or not all(abs(score) < _MOST for score in model.scores):
        raise ValueError("is damaged: a piece of it is empty or there twice, or has no score")
    return model


def _piece(content: bytes, part: Field) -> tuple[str, float, int]:
    name, score, kind = "", 0.0, NORMAL
    for one in fields(content, part.start, part.end):
        if one.number == 1 and one.wire_type == LENGTH_DELIMITED:
            name = content[one.start : one.end].decode()
        elif one.number == 2 and one.wire_type == FIXED32:
            (score,) = struct.unpack("<f", struct.pack("<I", one.value))
        elif one.number == 3:
            kind = one.value
    return name, score, kind


def _inside(content: bytes, parts: list[Field], message: int, number: int) -> Iterator[Field]:
    for part in parts:
        if part.number == message:
            yield from (one for one in fields(content, part.start, part.end) if one.number == number)


def _numbers(content: bytes, parts: list[Field], message: int, defaults: Mapping[int, int]) -> dict[int, Any]:
    found: dict[int, Any] = dict(defaults)
    for number in defaults:
        for one in _inside(content, parts, message, number):
            found[number] = one.value
    return found


def beside(folder: Path) -> str:
    """A sentence on the .model files of a folder without a vocab.txt, none of which is taken; "" for none."""
    several = models_in(folder)
    if several:
        return f" It has {len(several)} models of SentencePiece; leave the one of this model."
    for path in sorted(folder.glob(MODELS)):
        if path.is_file():
            return f" Its {path.name} is not a SentencePiece model; if it lists words, give it as --vocab {path.name}."
    return ""
