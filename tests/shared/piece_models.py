"""Models of SentencePiece, written field by field as its proto has them (sentencepiece_model.proto)."""

from __future__ import annotations

import struct

from bertbuild.graph.wire import encode_bytes, encode_fixed32, encode_number

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
MARKS = (
    ("<pad>", 0.0, CONTROL),
    ("<unk>", 0.0, UNKNOWN),
    *((mark, 0.0, CONTROL) for mark in ("[CLS]", "[SEP]", "[MASK]")),
)
"""The special pieces of google-research/albert's models."""
PIECES = (
    *MARKS,
    ("(", 0.0, USER_DEFINED),
    ("▁", -2.0, NORMAL),
    ("▁good", -3.0, NORMAL),
    ("▁film", -3.5, NORMAL),
    ("▁199", -4.0, NORMAL),
    ("9,", -4.0, NORMAL),
    ("9", -5.0, NORMAL),
    (",", -3.0, NORMAL),
    ("s", -2.5, NORMAL),
    ("aa", -3.0, NORMAL),
    ("a", -2.75, NORMAL),
    ("▁tom", -4.0, NORMAL),
    (".", -3.0, NORMAL),
)
NUMBERS = {name: number for number, (name, _, _) in enumerate(PIECES)}


def piece(name, score, kind):
    """A piece as a field of the model."""
    content = encode_bytes(1, name.encode()) + encode_fixed32(2, struct.unpack("<I", struct.pack("<f", score))[0])
    return encode_bytes(1, content + (encode_number(3, kind) if kind != NORMAL else b""))


def model_bytes(pieces=PIECES, *, charsmap=b"", trained=b"", normalized=b""):
    """A Unigram model.

    Args:
        pieces: name, score, type of each.
        charsmap: its table of characters.
        trained: further fields of its TrainerSpec.
        normalized: of its NormalizerSpec.
    """
    table = encode_bytes(2, charsmap) if charsmap else b""
    return b"".join(piece(*one) for one in pieces) + encode_bytes(2, trained) + encode_bytes(3, table + normalized)
