"""SentencePiece in the stages of the backend data, as far as the package sentencepiece has no part in it."""

from __future__ import annotations

import pytest
from piece_models import model_bytes

from bertbuild.text import pieces
from bertbuild.text.differences import of_pieces


@pytest.fixture(scope="module")
def files(load):
    return load("stages.convert_hf")


@pytest.fixture(scope="module")
def reading(load):
    return load("stages._reading")


def test_the_texts_that_are_shown_are_of_no_class(files):
    for lower_case in (True, False):
        classes = of_pieces(pieces.SPECIAL, lower_case=lower_case)
        assert not [text for text in files.SHOWN for is_of in classes.values() if is_of(text, False)]


def test_classes_of_differences_look_at_the_text_as_it_is_decomposed():
    classes = of_pieces(("[SEP]",), lower_case=True)
    assert classes["a digit and a comma"]("\u00b3, 4", False)
    assert classes["a digit and a comma"]("3\u2060,4", False)
    assert not classes["a digit and a comma"]("a, b", False)
    assert classes["special tokens in a text"]("a[SEP]", False)
    assert classes["special tokens in a text"]("[SE\0P]", False)
    assert not of_pieces((), lower_case=False)["capital sigma"]("\u03a3", False)


def test_a_stage_reads_text_by_the_file_that_it_is_given(reading, tmp_path):
    from stage import StageInputError

    (tmp_path / "spiece.model").write_bytes(model_bytes())
    (tmp_path / "vocab.txt").write_text("a\n[UNK]\n[CLS]\n[SEP]\na\nb\n")
    assert reading.read_words(tmp_path / "spiece.model").vocab["▁good"] == 7
    assert reading.read_words(tmp_path / "vocab.txt", "lines").vocab["a"] == 4
    assert reading.read_words(tmp_path / "vocab.txt", "bert-tensorflow").vocab["b"] == 4
    with pytest.raises(StageInputError, match="say --vocab-reading"):
        reading.read_words(tmp_path / "vocab.txt")
    (tmp_path / "cut.model").write_bytes(model_bytes()[:-3])
    with pytest.raises(StageInputError, match=r"cut\.model is damaged"):
        reading.read_words(tmp_path / "cut.model")
