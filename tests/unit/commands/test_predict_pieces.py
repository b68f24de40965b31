"""predict over a target that carries a model of SentencePiece: texts in pieces, answers in words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from piece_models import NUMBERS, model_bytes

from bertbuild.checkpoint.tokenizer_file import read_words
from bertbuild.commands.predict import facts_of, reading_of
from bertbuild.commands.predict_texts import Predict
from bertbuild.commands.predicted import asked_of, rows_of
from bertbuild.errors import DataError
from bertbuild.text.asking import Asked
from bertbuild.text.facts import Text

HOW = {"stage": "openvino-infer", "flag": "ir", "params": {}}


def ids(*pieces):
    return [NUMBERS[piece] for piece in ("[CLS]", *pieces, "[SEP]")]


@pytest.fixture
def folder(tmp_path):
    """Make the folder of a target with a head."""

    def make(head: str, content: bytes = model_bytes()) -> Path:
        text = Text(task="t", head=head, asked=HOW, max_positions=32, max_seq_length=16)
        facts = text.as_json(read_words(model_bytes())) | {"vocab_sha256": hashlib.sha256(content).hexdigest()}
        (tmp_path / "text.json").write_text(json.dumps(facts))
        (tmp_path / "spiece.model").write_bytes(content)
        return tmp_path

    return make


def reading(folder, kind):
    return reading_of(folder, facts_of(folder), kind, Predict(target="t", text="a"))


def test_texts_and_pairs_are_cut_into_pieces(folder):
    read = reading(folder("classifier"), "classifier")
    found = asked_of("classifier", [Asked("Good films"), Asked("good", "TOM.")], read)
    assert found.ids == [ids("▁good", "▁film", "s"), [*ids("▁good"), NUMBERS["▁tom"], NUMBERS["."], NUMBERS["[SEP]"]]]
    assert found.segments[1] == [0, 0, 0, 1, 1, 1]


def test_a_mask_is_a_piece_and_the_best_pieces_are_told(folder):
    read = reading(folder("masked-lm"), "masked-lm")
    found = asked_of("masked-lm", [Asked("good [MASK].")], read)
    assert found.ids == [ids("▁good", "[MASK]", "▁", ".")]
    logits = np.zeros((1, len(found.ids[0]), len(NUMBERS)))
    logits[0, 2, NUMBERS["▁film"]] = 9.0
    (row,) = rows_of("masked-lm", found, {"masked_lm_logits": logits}, read)
    assert row["masked"][0][0]["word"] == "▁film"


def test_words_are_tagged_at_their_first_piece(folder):
    read = reading(folder("tokens"), "tokens")
    found = asked_of("tokens", [Asked("good films tom")], read)
    assert (found.ids, found.places) == (
        [ids("▁good", "▁film", "s", "▁tom")],
        [[("good", 1), ("films", 2), ("tom", 4)]],
    )


def test_a_question_is_answered_in_the_words_of_its_context(folder):
    read = reading(folder("span"), "span")
    context = "F\u00eflms (tom).  Good"
    found = asked_of("span", [Asked("good", context)], read)
    pieces = ["film", "##s", "", "##(", "##tom"]
    told = found.articles[0]["paragraphs"][0]
    assert told["words"] == ["F\u00eflms", "(tom).", "Good"]
    assert told["said"][0] == "films"
    assert told["pieces"][: len(pieces) - 1] == pieces[:-1]
    logits = np.zeros((2, 1, len(found.ids[0])))
    logits[0, 0, 3], logits[1, 0, 4] = 9.0, 9.0
    (row,) = rows_of("span", found, {"start_logits": logits[0], "end_logits": logits[1]}, read)
    assert (row["answer"], row["span"]) == ("F\u00eflms", [0, 5])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "spiece.model").unlink(), "carries no tokenizer"),
        (lambda folder: (folder / "spiece.model").rename(folder / "vocab.txt"), "names 'spiece.model', which is not"),
        (lambda folder: (folder / "spiece.model").write_bytes(b"\n"), "is another vocabulary than the one"),
    ],
)
def test_a_target_without_its_own_model_is_refused(folder, spoil, sentence):
    made = folder("classifier")
    spoil(made)
    with pytest.raises(DataError, match=sentence):
        reading(made, "classifier")


def test_a_damaged_model_is_refused(folder):
    with pytest.raises(DataError, match=r"spiece\.model is damaged"):
        reading(folder("classifier", model_bytes()[:-3]), "classifier")
