"""SentencePiece in the stage convert-hf, as far as the package sentencepiece has no part in it."""

from __future__ import annotations

import re
import unicodedata

import pytest

from bertbuild.graph.wire import encode_bytes, encode_number
from bertbuild.text.differences import of_pieces

MODEL = b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02"


@pytest.fixture(scope="module")
def pieces(load):
    return load("stages._sentencepiece")


@pytest.fixture(scope="module")
def files(load):
    return load("stages._sentencepiece_files")


@pytest.mark.parametrize(
    ("text", "lower_case", "prepared"),
    [
        ("  Two\u3000spaces\tand a\u2028line ", True, "two spaces and a line"),
        ("D\u00e9j\u00e0 vu", True, "deja vu"),
        ("D\u00e9j\u00e0 vu", False, "Deja vu"),
        ("\ufb01ne \u00bd \u2122", True, "fine 1\u20442 tm"),
        ("``so''", True, "``so''"),
        ("\u039f\u0394\u039f\u03a3", True, "\u03bf\u03b4\u03bf\u03c2"),
        ("", True, ""),
    ],
)
def test_text_is_prepared_as_google_research_albert_prepares_it(pieces, text, lower_case, prepared):
    assert pieces.prepared(text, lower_case) == prepared


class Encoder:
    """A stand-in for the processor of the package: each word is a piece, a mark in front."""

    def encode(self, text, out_type):
        assert out_type is str
        return [f"\u2581{word}" for word in text.split()]


def test_a_comma_behind_a_digit_is_a_piece_of_its_own(pieces):
    read = object.__new__(pieces.SentencePiece)
    read.model, read.lower_case = Encoder(), True
    assert read.pieces("In 1999, so, 3,000") == ["\u2581in", "\u25811999", ",", "\u2581so,", "\u25813,000"]


def test_what_a_model_says_of_itself_is_read_of_its_proto(files):
    assert files.read_spec(MODEL) == (True, b"", True, True)
    trainer = encode_bytes(2, encode_number(3, 2))
    normalizer = encode_bytes(3, encode_bytes(2, b"map") + encode_number(3, 0) + encode_number(4, 0))
    assert files.read_spec(MODEL + trainer + normalizer) == (False, b"map", False, False)
    assert files.read_spec(MODEL + encode_bytes(2, encode_number(3, 1))).unigram


def test_the_one_model_of_a_folder_is_found(files, tmp_path):
    from stage import StageInputError

    assert files.find(tmp_path) is None
    (tmp_path / "words.model").write_text("a\nb\n")
    (tmp_path / "30k-clean.model").write_bytes(MODEL)
    assert files.find(tmp_path).name == "30k-clean.model"
    (tmp_path / "spiece.model").write_bytes(MODEL)
    with pytest.raises(StageInputError, match="2 models of SentencePiece; leave one"):
        files.find(tmp_path)


def test_the_characters_that_combine_are_those_of_python(files):
    written = files.combining()
    found = re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda one: f"\\U{int(one[1], 16):08x}", written))
    texts = [chr(number) for number in (0x41, 0x301, 0x323, 0x903, 0x94D, 0x1D165, 0x1E8D0, 0x1F600)]
    assert [bool(found.fullmatch(one)) for one in texts] == [bool(unicodedata.combining(one)) for one in texts]


def test_the_texts_that_are_shown_are_of_no_class(files):
    for lower_case in (True, False):
        classes = of_pieces(tuple(files.MARKS.values()), lower_case=lower_case)
        assert not [text for text in files.SHOWN for is_of in classes.values() if is_of(text, False)]


def test_classes_of_differences_look_at_the_text_as_it_is_decomposed():
    classes = of_pieces(("[SEP]",), lower_case=True)
    assert classes["a digit and a comma"]("\u00b3, 4", False)
    assert not classes["a digit and a comma"]("a, b", False)
    assert classes["special tokens in a text"]("a[SEP]", False)
    assert not of_pieces((), lower_case=False)["capital sigma"]("\u03a3", False)
