"""A SentencePiece file where a list of WordPiece's words is meant, and the other way round, is told in words."""

from __future__ import annotations

import re

import family_models
import pytest
from family_models import ALBERT_CONFIG, values, write_family
from piece_models import PIECES, model_bytes

from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.sentencepiece import read_model
from bertbuild.checkpoint.tokenizer_file import read_words, tokenizer_in
from bertbuild.checkpoint.vocabulary import chosen_reading, require_words
from bertbuild.errors import CheckpointError, UsageError
from bertbuild.graph.wire import encode_bytes, encode_number

MODEL = b"\n\x0e\n\x05<pad>\x15\x00\x00\x00\x00\x18\x03\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02"
"""The first pieces of 30k-clean.model of the published ALBERTs, as its protobuf has them."""
SCORES = "<pad>\t0\n<unk>\t0\n▁the\t-3.4\n".encode()


@pytest.fixture
def folder(tmp_path):
    return write_family(tmp_path / "model", values(family_models.albert_shapes()), ALBERT_CONFIG, vocab=False)


@pytest.mark.parametrize(
    ("content", "what"), [(MODEL, "is a model of SentencePiece"), (SCORES, "is SentencePiece's list of pieces")]
)
def test_a_sentencepiece_file_in_the_place_of_a_vocabulary_is_refused(folder, content, what):
    (folder / "vocab.txt").write_bytes(content)
    (problem,) = inspect_checkpoint(folder).problems
    assert problem == f"vocab.txt {what}{problem.partition(what)[2]}"
    assert "not a list of WordPiece's words" in problem
    with pytest.raises(CheckpointError, match=what):
        chosen_reading(folder / "vocab.txt", None, "")


def test_a_sentencepiece_model_is_the_tokenizer_where_there_is_no_vocabulary(folder):
    (folder / "30k-clean.model").write_bytes(model_bytes())
    found = inspect_checkpoint(folder)
    assert found.problems == ()
    few = "30k-clean.model has 18 pieces and the model's table 60 words: the last 42 have no name."
    assert found.warnings == (few,)
    assert found.sizes["30k-clean.model"] == len(model_bytes())
    assert tokenizer_in(folder).name == "30k-clean.model"
    assert chosen_reading(folder / "30k-clean.model", None, "") == ("", "")
    assert read_words(model_bytes()).vocab["[SEP]"] == 3
    (folder / "vocab.txt").write_text("[UNK]\n")
    assert tokenizer_in(folder).name == "vocab.txt"


def test_words_and_a_model_of_sentencepiece_in_one_folder_are_refused(folder):
    (folder / "30k-clean.model").write_bytes(model_bytes())
    (folder / "vocab.txt").write_text("[UNK]\n" * family_models.V)
    problem = inspect_checkpoint(folder).problems[0]
    assert "has a vocab.txt and a model of SentencePiece (30k-clean.model), and nothing tells which" in problem


def test_of_two_models_none_is_taken(folder):
    for name in ("a.model", "b.model"):
        (folder / name).write_bytes(model_bytes())
    (warning,) = inspect_checkpoint(folder).warnings
    assert warning.endswith("It has 2 models of SentencePiece; leave the one of this model.")
    assert tokenizer_in(folder) is None


MANY = (*PIECES, *((f"w{number}", -9.0, 1) for number in range(family_models.V)))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (MODEL, "has no [CLS] and no [SEP], as those of google-research/albert have."),
        (model_bytes()[:-3], "is damaged: it is no whole model of SentencePiece."),
        (model_bytes((*PIECES, PIECES[-1])), "is damaged: a piece of it is empty or there twice, or has no score."),
        (model_bytes((*PIECES, ("x", float("nan"), 1))), "is damaged: a piece of it is empty or there twice"),
        (model_bytes(charsmap=b"\xff\xff\xff\x00\0"), "is damaged: it is no whole model of SentencePiece."),
        (model_bytes(trained=encode_number(3, 2)), "is no unigram model with a mark in front"),
        (model_bytes(trained=encode_number(35, 1)), "is no unigram model with a mark in front"),
        (model_bytes(normalized=encode_number(3, 0)), "is no unigram model with a mark in front"),
        (model_bytes(MANY), f"has {len(MANY)} pieces, but the model knows {family_models.V} words"),
    ],
)  # fmt: skip
def test_a_model_that_text_cannot_be_read_with_is_told(folder, content, what):
    (folder / "spiece.model").write_bytes(content)
    found = inspect_checkpoint(folder)
    assert found.problems == ()
    assert f"{folder / 'spiece.model'} {what}" in found.warnings[0]
    with pytest.raises(CheckpointError, match=re.escape(what)):
        require_words(folder / "spiece.model", family_models.V)


def test_a_model_is_read_field_by_field():
    model = read_model(model_bytes(normalized=encode_number(4, 0)))
    assert (model.names, model.types) == (tuple(one[0] for one in PIECES), tuple(one[2] for one in PIECES))
    assert model.scores == tuple(one[1] for one in PIECES)
    assert (model.spaces_removed, model.prefix, model.charsmap) == (False, True, b"")


def test_a_model_whose_text_is_not_normalized_is_read():
    """The trainer writes an empty table of characters for its rule "identity"."""
    assert read_model(model_bytes(normalized=encode_bytes(2, b""))).charsmap == b""


def test_the_lines_of_a_model_of_sentencepiece_are_not_numbered(folder):
    (folder / "spiece.model").write_bytes(model_bytes())
    with pytest.raises(UsageError, match=r"--vocab-reading numbers the lines of a vocab\.txt"):
        chosen_reading(folder / "spiece.model", None, "lines")


def test_a_list_of_words_that_is_called_a_model_is_told(folder):
    (folder / "spiece.model").write_text("[PAD]\n[UNK]\n[CLS]\n")
    (warning,) = inspect_checkpoint(folder).warnings
    assert warning.endswith("if it lists words, give it as --vocab spiece.model.")
