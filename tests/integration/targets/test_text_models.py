"""build-ir --text: models that take strings, asked by OpenVINO itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
from backends import run as run_script
from tiny_models import CONFIG, weights, write_google

from bertbuild.text.corpus import PLAIN
from bertbuild.text.wordpiece import SPECIAL, FullTokenizer, sequence

WORDS = (*SPECIAL, *dict.fromkeys([*PLAIN, *"abcdefgéΣσς字!.,[]'-", *(f"##{char}" for char in "abcdefgσς")]))
LENGTH = 32
LONG = " ".join(PLAIN[:24])
BATCHES = [
    {"text": ["the quick brown fox", "A caFe\u0301 ΑΣ 字字 [SEP] a\x07b", "", LONG * 3]},
    {"text": ["the quick"]},
    {"text": ["the quick", LONG, "a", LONG * 2], "text_pair": ["brown fox", LONG, LONG * 2, ""]},
    {"text": ["the quick", "a b"], "text_pair": ["brown fox, isn't"]},
    {"text": ["the quick"]},
]


@pytest.fixture(scope="module")
def built(bertbuild, session_folder):
    """A tiny classifier that was trained on texts of 32 pieces, built with models that take strings."""
    config = {**CONFIG, "vocab_size": len(WORDS)}
    folder = write_google(session_folder / "takes-strings", weights(config, labels=2), config=config)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    task = {"task": "own", "head": "classifier", "labels": ["bad", "good"], "max_seq_length": LENGTH}
    (folder / "task.json").write_text(json.dumps({**task, "do_lower_case": True}), encoding="utf-8")
    return bertbuild.ok("build-ir", "--checkpoint", folder, "--text")


@pytest.fixture(scope="module")
def folder(bertbuild, built):
    assert built.verdict("ir-text-fp32")["passed"]
    return bertbuild.out("takes-strings", "ir-text-fp32")


@pytest.fixture(scope="module")
def asked(folder):
    return run_script("openvino", "text_models", folder=folder, batches=BATCHES)


def test_texts_and_pairs_become_upstreams_pieces(asked):
    upstream = FullTokenizer({word: number for number, word in enumerate(WORDS)}, lower_case=True)
    for batch, found in zip(BATCHES, asked["answered"], strict=True):
        pairs = batch.get("text_pair", [None] * len(batch["text"]))
        pairs = pairs * len(batch["text"]) if len(pairs) == 1 else pairs
        rows = zip(batch["text"], pairs, found["input_ids"], found["input_mask"], found["segment_ids"], strict=True)
        longest = 0
        for text, other, ids, mask, segments in rows:
            wanted = sequence(upstream, upstream.ids(text), None if other is None else upstream.ids(other), LENGTH)
            count, longest = len(wanted.ids), max(longest, len(wanted.ids))
            assert (ids[:count], segments[:count], sum(mask)) == (wanted.ids, wanted.segments, count)
            assert not any(ids[count:])
            assert not any(segments[count:])
        assert len(found["input_ids"][0]) == longest <= LENGTH


def test_both_models_in_one_answer_as_the_two_do(asked):
    assert [found["same"] for found in asked["answered"]] == [True] * len(BATCHES)
    assert all(np.shape(found["answers"]["probabilities"])[1] == 2 for found in asked["answered"])


def test_an_answer_does_not_depend_on_what_was_asked_before(asked):
    before, after = asked["answered"][1], asked["answered"][4]
    assert before == after


def test_single_texts_have_one_input_and_pairs_two(asked):
    assert (asked["inputs"]["text_model"], asked["inputs"]["text_pair_model"]) == (["text"], ["text", "text_pair"])


def test_the_folder_says_what_a_reader_needs_and_what_was_measured(folder, built):
    signature = json.loads((folder / "signature.json").read_text())
    needs = signature["text_model"]["extension"]
    assert needs.startswith("openvino-tokenizers==2026.4.1")
    readme = (folder / "README.txt").read_text()
    assert needs in readme
    told = json.loads((folder / "text.json").read_text())
    assert told["text_model"] == {"texts": 5532, "differences": {}}
    assert (told["labels"], signature["text"]["labels"]) == (["bad", "good"], ["bad", "good"])
    assert any("reads all of 5,532 texts as google-research/bert does" in note for note in built.notes)
    assert 'labels value="bad good"' in (folder / "text_model.xml").read_text()
    assert (folder / "text_model.bin").stat().st_ino == (folder / "model.bin").stat().st_ino


def test_predict_answers_as_the_model_that_takes_strings(bertbuild, folder, asked):
    assert folder.is_dir()
    answer = bertbuild.ok("predict", "--target", "takes-strings/ir-text-fp32", "--text", "the quick").last["answers"][0]
    wanted = asked["answered"][1]["answers"]["probabilities"][0]
    assert list(answer["probabilities"].values()) == pytest.approx(wanted, abs=1e-6)
