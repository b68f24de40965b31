"""vocab.txt out of a tokenizer.json, and whether text is lower-cased."""

from __future__ import annotations

import json

import pytest
from huggingface_folders import theirs, tokenizer, write

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.vocabulary import lower_case, recorded_lower_case, vocabulary

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "##s", "é", "中"]


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "hf", theirs(), vocab=False)


def of(folder, value, name="tokenizer.json"):
    (folder / name).write_text(json.dumps(value))
    return find_files(folder)


def test_words_are_written_in_the_order_of_their_ids(folder):
    value = tokenizer(WORDS)
    value["model"]["vocab"] = dict(reversed(value["model"]["vocab"].items()))
    assert vocabulary(of(folder, value)) == "".join(f"{word}\n" for word in WORDS).encode()


def test_added_words_stand_behind_the_others(folder):
    value = tokenizer(WORDS, added_tokens=[{"id": len(WORDS), "content": "[NEW]"}, {"id": 0, "content": "[PAD]"}])
    assert vocabulary(of(folder, value)).decode().split("\n")[-2:] == ["[NEW]", ""]


def test_a_vocab_txt_is_taken_as_it_is(folder):
    (folder / "vocab.txt").write_bytes(b"a\r\nb")
    assert vocabulary(of(folder, tokenizer(WORDS))) == b"a\r\nb"


@pytest.mark.parametrize("kind", ["BPE", "Unigram", "WordLevel", None])
def test_a_vocabulary_of_another_kind_is_refused_by_name(folder, kind):
    with pytest.raises(CheckpointError, match=f"{kind or 'no known kind'}, not of WordPiece"):
        vocabulary(of(folder, tokenizer(WORDS, model={"type": kind, "vocab": {}})))


@pytest.mark.parametrize(
    "change",
    [
        {"added_tokens": [{"id": 0, "content": "other"}]},
        {"added_tokens": [{"id": 50, "content": "far"}]},
        {"added_tokens": [{"id": "9", "content": "[NEW]"}]},
        {"added_tokens": [{"content": "[NEW]"}]},
        {"added_tokens": 5},
        {"model": {"type": "WordPiece", "vocab": {}}},
        {"model": {"type": "WordPiece", "vocab": ["a"]}},
        {"model": {"type": "WordPiece", "vocab": {"a": 0.5}}},
        {"model": {"type": "WordPiece", "vocab": {"a\nb": 0}}},
        {"model": {"type": "WordPiece", "vocab": {"a": 0, "b": 0}}},
        {"model": {"type": "WordPiece", "vocab": {"a": 2}}},
        {"model": {"type": "WordPiece", "vocab": {"\ud800": 0}}, "added_tokens": []},
        {"model": 5},
    ],
)
def test_a_broken_tokenizer_json_is_refused_in_one_sentence(folder, change):
    with pytest.raises(CheckpointError, match=r"tokenizer\.json") as raised:
        vocabulary(of(folder, tokenizer(WORDS, **change)))
    assert raised.value.next_step
    assert "\n" not in str(raised.value)


def test_lower_casing_is_what_the_tokenizers_settings_say(folder):
    assert lower_case(of(folder, tokenizer(WORDS))) is False
    assert lower_case(of(folder, tokenizer(WORDS, normalizer=None))) is None
    assert lower_case(of(folder, {"do_lower_case": True}, "tokenizer_config.json")) is True
    (folder / "vocab.txt").write_text("a\n")
    assert lower_case(of(folder, {}, "tokenizer_config.json")) is None


def test_a_checkpoint_says_what_was_recorded_beside_it(tmp_path):
    assert recorded_lower_case(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert recorded_lower_case(tmp_path) is False


def test_lower_casing_that_is_neither_true_nor_false_is_refused(folder):
    files = of(folder, tokenizer(WORDS))
    with pytest.raises(CheckpointError, match="do_lower_case"):
        lower_case(of(files.folder, {"do_lower_case": "yes"}, "tokenizer_config.json"))
