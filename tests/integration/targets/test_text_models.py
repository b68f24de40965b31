"""build-ir --text: models that take strings, asked by OpenVINO itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from backends import run as run_script
from program import Bertbuild
from tiny_models import CONFIG, weights, write_google

from bertbuild.project import ROOT
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
    {"text": ["", ""]},
    {"text": ["\0", "", ""]},
    {"text": ["", ""], "text_pair": ["", "\0"]},
    {"text": ["", ""], "text_pair": [""]},
    {"text": [""], "text_pair": [""]},
    {"text": ["the quick"]},
]


def written(folder):
    """A tiny classifier that was trained on texts of 32 pieces."""
    config = {**CONFIG, "vocab_size": len(WORDS)}
    write_google(folder, weights(config, labels=2), config=config)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    task = {"task": "own", "head": "classifier", "labels": ["bad", "good"], "max_seq_length": LENGTH}
    (folder / "task.json").write_text(json.dumps({**task, "do_lower_case": True}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(bertbuild, session_folder):
    """It, built with models that take strings."""
    return bertbuild.ok("build-ir", "--checkpoint", written(session_folder / "takes-strings"), "--text")


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
    shapes = [np.shape(found["answers"]["probabilities"]) for found in asked["answered"]]
    assert shapes == [(len(batch["text"]), 2) for batch in BATCHES]


def test_an_answer_does_not_depend_on_what_was_asked_before(asked):
    first, *later = (asked["answered"][place] for place in (1, 4, -1))
    assert later == [first, first]


def test_single_texts_have_one_input_and_pairs_two(asked):
    assert (asked["inputs"]["text_model"], asked["inputs"]["text_pair_model"]) == (["text"], ["text", "text_pair"])


def test_the_folder_says_what_a_reader_needs_and_what_was_measured(folder, built):
    signature = json.loads((folder / "signature.json").read_text())
    needs = signature["text_model"]["extension"]
    assert needs.startswith("openvino-tokenizers==2026.4.1")
    readme = (folder / "README.txt").read_text()
    assert needs in readme
    told = json.loads((folder / "text.json").read_text())
    assert told["text_model"] == {"texts": 5536, "differences": {}}
    assert (told["labels"], signature["text"]["labels"]) == (["bad", "good"], ["bad", "good"])
    assert any("reads all of 5,536 texts as google-research/bert does" in note for note in built.notes)
    assert 'labels value="bad good"' in (folder / "text_model.xml").read_text()
    assert (folder / "text_model.bin").stat().st_ino == (folder / "model.bin").stat().st_ino


def test_predict_answers_as_the_model_that_takes_strings(bertbuild, folder, asked):
    assert folder.is_dir()
    answer = bertbuild.ok("predict", "--target", "takes-strings/ir-text-fp32", "--text", "the quick").last["answers"][0]
    wanted = asked["answered"][1]["answers"]["probabilities"][0]
    assert list(answer["probabilities"].values()) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.whole
def test_special_tokens_in_a_text_are_such_where_that_is_asked_for(bertbuild, session_folder):
    checkpoint = written(session_folder / "takes-special-tokens")
    built = bertbuild.ok("build-ir", "--checkpoint", checkpoint, "--text", "--special-tokens-in-text")
    assert built.verdict("ir-text-special-fp32")["passed"]
    assert any(note.endswith("and special tokens in them as Hugging Face does") for note in built.notes)
    folder = bertbuild.out("takes-special-tokens", "ir-text-special-fp32")
    batch = {"text": ["the [SEP] quick[MASK]", "a"]}
    (found,) = run_script("openvino", "text_models", folder=folder, batches=[batch])["answered"]
    numbers = {word: number for number, word in enumerate(WORDS)}
    words = ["[CLS]", "the", "[SEP]", "quick", "[MASK]", "[SEP]"]
    assert found["input_ids"][0] == [numbers[word] for word in words]
    target = "takes-special-tokens/ir-text-special-fp32"
    answer = bertbuild.ok("predict", "--target", target, "--text", batch["text"][0]).last["answers"][0]
    assert list(answer["probabilities"].values()) == pytest.approx(found["answers"]["probabilities"][0], abs=1e-6)


@pytest.mark.whole
def test_an_int8_ir_and_a_frozen_graph_get_models_that_take_strings(bertbuild, session_folder, tmp_path):
    checkpoint = written(session_folder / "takes-strings-too")
    texts = tmp_path / "texts.txt"
    texts.write_text("".join(" ".join(PLAIN[start : start + 6]) + "\n" for start in range(20)))
    int8 = ("--precision", "int8", "--calibration-text", texts)
    assert bertbuild.ok("build-ir", "--checkpoint", checkpoint, "--text", *int8).verdict("ir-text-int8")["passed"]
    graph = bertbuild.ok("freeze", "--checkpoint", checkpoint).last["path"]
    built = bertbuild.ok("build-ir", "--frozen", graph, "--name", "takes-strings-frozen", "--text")
    assert built.verdict("ir-text-fp32")["passed"]
    answers = [
        bertbuild.ok("predict", "--target", target, "--text", "the quick").last["answers"][0]["probabilities"]
        for target in ("takes-strings-too/ir-text-int8", "takes-strings-frozen/ir-text-fp32")
    ]
    assert list(answers[0].values()) == pytest.approx(list(answers[1].values()), abs=0.2)


MACHINES = (
    {"TZ": "UTC", "FAULTS_CLOCK": 0, "PYTHONHASHSEED": 1},
    {"TZ": "Asia/Tokyo", "FAULTS_CLOCK": -20 * 365 * 86_400, "PYTHONHASHSEED": 2},
)


@pytest.mark.whole
def test_packed_on_two_machines_it_has_the_same_bytes(tmp_path):
    """Two stores in two folders, with two clocks, time zones and umasks: what was built in one is unknown to the other.
    The processor is one: figures of parity, which the model card has, may differ on another.
    """
    archives = []
    for variables, umask in zip(MACHINES, (0o022, 0o077), strict=True):
        place = tmp_path / variables["TZ"]
        place.mkdir(parents=True)
        hooks = ROOT / "tests" / "faults" / "hooks"
        program = Bertbuild(place / "artifacts").having(PYTHONPATH=f"{hooks}:{ROOT}", **variables)
        before = os.umask(umask)
        try:
            program.ok("build-ir", "--checkpoint", written(place / "models" / "on-two-machines"), "--text")
            for layout in ("plain", "openvino-model-server"):
                words = ("on-two-machines/ir-text-fp32", "--format", layout, "--to", place / layout, "--archive")
                archives.append(Path(program.ok("package", *words).last["archive"]).read_bytes())
        finally:
            os.umask(before)
    assert archives[:2] == archives[2:]


def of_tokenizer(outcome):
    """What became of the step that holds tokenizer.json to google-research/bert: (state, notes)."""
    states = [event["state"] for event in outcome.events if event["event"] == "stage" and event["id"] == "tokenizer"]
    return states[-1], [note for note in outcome.notes if note.startswith("tokenizer.json reads")]


@pytest.mark.whole
def test_targets_of_one_vocabulary_have_their_tokenizer_json_held_to_upstreams_once(fresh, session_folder):
    folder = written(session_folder / "tokenizer-held")
    state, notes = of_tokenizer(fresh.ok("build-ir", "--checkpoint", folder))
    assert (state, len(notes)) == ("done", 1)
    assert "texts as google-research/bert does; not: private-use characters " in notes[0]
    assert of_tokenizer(fresh.ok("freeze", "--checkpoint", folder)) == ("cached", [])
    assert of_tokenizer(fresh.ok("build-ir", "--checkpoint", folder, "--labels", "no,yes")) == ("cached", [])


SHORT_WORDS = """
from bertbuild.text import tokenizer_json as written

as_written = written.tokenizer_json
written.tokenizer_json = lambda *args, **kwargs: as_written(*args, **kwargs).replace(
    '"max_input_chars_per_word": 200', '"max_input_chars_per_word": 100'
)
"""


@pytest.mark.whole
def test_a_tokenizer_json_that_reads_texts_otherwise_for_no_listed_reason_fails_the_build(session_folder, altered):
    """Words of 101 characters and more are unknown to it, as to transformers where nothing is said."""
    folder = written(session_folder / "tokenizer-of-short-words")
    program = altered("data", "tokenizer", SHORT_WORDS)
    error = program.refused("build-ir", "--checkpoint", folder, code=13)
    said = error["message"] + error["details"]
    assert "tokenizer.json reads " in said
    assert "for no known reason" in said
    assert not (program.artifacts / "out" / folder.name / "ir-fp32").exists()
