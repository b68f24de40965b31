"""A SentencePiece file where a list of WordPiece's words is meant, and the other way round, is told in words."""

from __future__ import annotations

import family_models
import pytest
from family_models import ALBERT_CONFIG, values, write_family

from bertbuild.checkpoint.inspection import inspect_checkpoint
from bertbuild.checkpoint.vocabulary import chosen_reading
from bertbuild.errors import CheckpointError

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


def test_a_sentencepiece_model_alone_leaves_targets_of_ids(folder):
    (folder / "30k-clean.model").write_bytes(MODEL)
    found = inspect_checkpoint(folder)
    assert found.problems == ()
    told = "is a model of SentencePiece: convert-hf makes a tokenizer of it, other targets take ids."
    assert f"Its 30k-clean.model {told}" in found.warnings[0]


def test_a_list_of_words_that_is_called_a_model_is_told(folder):
    (folder / "spiece.model").write_text("[PAD]\n[UNK]\n[CLS]\n")
    (warning,) = inspect_checkpoint(folder).warnings
    assert warning.endswith("if it lists words, give it as --vocab spiece.model.")
