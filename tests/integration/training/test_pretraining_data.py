from __future__ import annotations

import gzip
import json
import os
import random
import subprocess

import pytest
from backends import python
from backends import run as run_script
from matrix import cells
from program import ROOT

DEFAULTS = {
    "do_lower_case": True,
    "do_whole_word_mask": False,
    "max_ngram_size": None,
    "gzip_compress": False,
    "use_v2_feature_names": False,
    "max_seq_length": 128,
    "max_predictions_per_seq": 20,
    "random_seed": 12345,
    "dupe_factor": 10,
    "masked_lm_prob": 0.15,
    "short_seq_prob": 0.1,
}
ONE_DOCUMENT = "one document, which upstream finds no other for"
CASES = {
    "whole words, cased": {
        "do_lower_case": False,
        "do_whole_word_mask": True,
        "max_seq_length": 32,
        "max_predictions_per_seq": 5,
    },
    "n-grams, the models' names": {
        "do_whole_word_mask": True,
        "max_ngram_size": 3,
        "use_v2_feature_names": True,
        "max_seq_length": 64,
        "random_seed": 7,
    },
    "long and compressed": {
        "gzip_compress": True,
        "max_seq_length": 512,
        "max_predictions_per_seq": 76,
        "dupe_factor": 3,
        "random_seed": -5,
    },
    "all masked, all short": {
        "max_seq_length": 24,
        "max_predictions_per_seq": 21,
        "masked_lm_prob": 1.0,
        "short_seq_prob": 1.0,
    },
    "as short as can be": {"max_seq_length": 5, "max_predictions_per_seq": 1, "dupe_factor": 1},
    "many n-grams": {
        "do_whole_word_mask": True,
        "max_ngram_size": 9,
        "max_predictions_per_seq": 40,
        "masked_lm_prob": 0.6,
        "dupe_factor": 2,
    },
    ONE_DOCUMENT: {"max_seq_length": 32, "max_predictions_per_seq": 5},
}
CASES = cells(CASES, "whole words, cased", ONE_DOCUMENT)
GOOGLE_CASES = {
    "google's defaults": {},
    "google's, cased and short": {"do_lower_case": False, "max_seq_length": 24, "max_predictions_per_seq": 5},
    "google's, all masked": {"max_seq_length": 64, "masked_lm_prob": 1.0, "short_seq_prob": 1.0, "random_seed": 7},
}
GOOGLE_CASES = cells(GOOGLE_CASES, "google's defaults")
LINES = "--vocab-reading=lines"  # the corpus's vocabulary has a word twice
WORDS = """
    the doghouse Doghouse was unaffable rain rained Raining Straße café naïve in'side e-mail, fin. (two) 中文 wow!?
    ΑΝΘΡΩΠΟΣ verylongwordthatnovocabularyhas 12,345.6 un##able [MASK] x
""".split()  # noqa: SIM905 - many words


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A vocabulary with a word twice in it, and texts with what real ones have; a.txt ends within a document."""
    folder = tmp_path_factory.mktemp("corpus")
    pieces = ["the", "dog", "##house", "was", "rain", "##ed", "##ing", "Rain", "cafe", "wow", "un", "##able", "the"]
    letters = sorted({letter for word in WORDS for letter in word.lower()} - {"[", "]"})
    special = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = [*special, *pieces, *letters, *("##" + letter for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    (folder / "one.txt").write_text("the dog rained\nit was rain\n" * 20)
    chance = random.Random(11)  # noqa: S311 - nothing secret
    for name, documents, last in (("a.txt", 25, "\u200b\nrained on\n"), ("b.txt", 12, "no newline at the end")):
        lines = []
        for _ in range(documents):
            sentences = chance.randint(1, 12)
            lines += [" ".join(chance.choices(WORDS, k=chance.choice([1, 5, 9, 30]))) for _ in range(sentences)]
            lines += chance.choice([[""], ["", " \t"], ["\r"]])
        (folder / name).write_text("\n".join([*lines, last]), encoding="utf-8", newline="\n")
    return folder


def stage(folder, out, **flags):
    """Run the stage by hand; its process."""
    words = [LINES, *(f"--{name}={str(value).lower()}" for name, value in flags.items() if value is not None)]
    code = ("docker/data", "docker/common", "")
    return subprocess.run(
        [python("data"), "-m", "stages.pretraining_data", f"--text={folder}", f"--out={out}", *words],
        env={**os.environ, "PYTHONPATH": ":".join(str(ROOT / part) for part in code)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="session")
def compared(bertbuild, corpus, tmp_path_factory):
    """Case → what TensorFlow says of our examples beside the Model Garden's; "by the program" has the default flags."""
    work = tmp_path_factory.mktemp("records")
    outputs = [work / "one", work / "deep" / "two"]
    texts = [corpus / "a.txt", corpus / "b.txt"]
    made = bertbuild.ok(
        "prepare-pretraining-data",
        f"--input_file={corpus}/[ab].txt",
        f"--output_file={outputs[0]},{outputs[1]}",
        f"--vocab_file={corpus / 'vocab.txt'}",
        "--do_lower_case=True",
        LINES,
    )
    cases = [{"flags": DEFAULTS, "text": texts, "records": outputs}]
    for number, (name, changed) in enumerate(CASES.items()):
        flags = DEFAULTS | changed
        text = corpus / ("one.txt" if name == ONE_DOCUMENT else "a.txt")
        ran = stage(text, work / str(number), vocab=corpus / "vocab.txt", **flags)
        assert ran.returncode == 0, ran.stderr
        assert ("the text is one document" in ran.stdout) == (name == ONE_DOCUMENT)
        cases.append({"flags": flags, "text": [text], "records": [work / str(number) / "tf_examples.tfrecord"]})
    (work / "upstream").mkdir()
    answers = run_script("tf2", "garden_pretraining", vocab=corpus / "vocab.txt", work=work / "upstream", cases=cases)
    return {"by the program": made.last} | dict(zip(("default", *CASES), answers, strict=True))


@pytest.fixture(scope="session")
def compared_with_google(bertbuild, corpus, tmp_path_factory):
    """Case → what TensorFlow 1 says of our examples beside those of bert-tensorflow 1.0.4."""
    work = tmp_path_factory.mktemp("google")
    assert bertbuild.artifacts.is_dir()
    cases = []
    for number, changed in enumerate(GOOGLE_CASES.values()):
        flags = DEFAULTS | changed
        ran = stage(corpus / "a.txt", work / str(number), vocab=corpus / "vocab.txt", masks="google-research", **flags)
        assert ran.returncode == 0, ran.stderr
        records = [work / str(number) / "tf_examples.tfrecord"]
        cases.append({"flags": flags, "text": [corpus / "a.txt"], "records": records})
    (work / "upstream").mkdir()
    answers = run_script("tf1", "google_pretraining", vocab=corpus / "vocab.txt", work=work / "upstream", cases=cases)
    return dict(zip(GOOGLE_CASES, answers, strict=True))


@pytest.mark.parametrize("case", GOOGLE_CASES)
def test_examples_with_googles_masks_are_its_scripts_one_by_one(compared_with_google, case):
    assert compared_with_google[case]["difference"] is None
    assert compared_with_google[case]["examples"] > 30


UNMASK = """
import sys
import numpy as np
import tfrecords

names = ("input_ids", "masked_lm_ids", "masked_lm_positions", "masked_lm_weights", "next_sentence_labels")
columns = [tfrecords.read_columns(path, names) for path in sys.argv[1:]]
ids = []
for found in columns:
    rows = np.arange(len(found["input_ids"]))[:, None]
    real = found["masked_lm_weights"] == 1
    whole = found["input_ids"].copy()
    whole[np.broadcast_to(rows, real.shape)[real], found["masked_lm_positions"][real]] = found["masked_lm_ids"][real]
    ids.append(np.concatenate([whole, found["next_sentence_labels"]], axis=1))
places = [[set(one[here == 1]) for one, here in zip(x["masked_lm_positions"], x["masked_lm_weights"])] for x in columns]
print(len(ids[0]), (ids[0] == ids[1]).all(), sum(one == other for one, other in zip(*places)))
"""


def test_the_two_scripts_mask_other_pieces_of_the_same_sentences(bertbuild, corpus, tmp_path):
    assert bertbuild.artifacts.is_dir()
    paths = []
    for masks in ("model-garden", "google-research"):
        ran = stage(corpus / "b.txt", tmp_path / masks, vocab=corpus / "vocab.txt", masks=masks, dupe_factor=2)
        assert ran.returncode == 0, ran.stderr
        paths.append(tmp_path / masks / "tf_examples.tfrecord")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "docker" / "common")}
    words = [python("data"), "-c", UNMASK, *paths]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=True)
    examples, same_sentences, same_masks = done.stdout.split()
    assert int(examples) > 30
    assert same_sentences == "True"
    assert int(same_masks) < int(examples) / 10  # short examples may have the same by chance


@pytest.mark.parametrize("case", ["default", *CASES])
def test_examples_are_the_model_gardens_one_by_one(compared, case):
    assert compared[case]["difference"] is None
    assert compared[case]["examples"] > 30


def test_the_program_says_what_it_made(compared, bertbuild):
    said = compared["by the program"]
    assert said["examples"] == compared["default"]["examples"]
    assert 0 < said["random_next"] < said["examples"]
    path = bertbuild.out(said["name"], "pretraining-128")
    assert str(path) == said["path"]
    prepared = json.loads((path / "prepared.json").read_text())
    assert prepared["files"] == [f"tf_examples.tfrecord-0000{number}-of-00002" for number in range(2)]
    assert prepared["masked_lm_prob"] == 0.15


def test_the_same_again_is_the_same_bytes_and_leaves_nothing_else(bertbuild, corpus, tmp_path):
    assert bertbuild.artifacts.is_dir()
    made = []
    for number in range(2):
        out = tmp_path / str(number)
        ran = stage(corpus / "b.txt", out, vocab=corpus / "vocab.txt", gzip_compress=True)
        assert ran.returncode == 0, ran.stderr
        made.append((out / "tf_examples.tfrecord").read_bytes())
    assert made[0] == made[1]
    assert len(gzip.decompress(made[0])) > 1000
    assert sorted(path.name for path in out.iterdir()) == ["prepared.json", "stage.json", "tf_examples.tfrecord"]


@pytest.mark.parametrize(
    ("content", "flags", "sentence"),
    [
        (b"", {}, "there is no sentence in text.txt"),
        (b"\n \n\t\n", {}, "there is no sentence in text.txt"),
        (b"fine\n" * 9 + b"caf\xe9\n", {}, "text.txt is not UTF-8: byte 48 is 0xe9"),
        ("dog\n".encode("utf-16"), {}, "text.txt is UTF-16; save it as UTF-8"),
        (b"dog\n", {"max_seq_length": 4, "max_predictions_per_seq": 1}, "--max_seq_length must be at least 5"),
        (b"dog\n", {"max_predictions_per_seq": 0}, "--max_predictions_per_seq=0 is not between 1 and the 125"),
        (b"dog\n", {"max_predictions_per_seq": 126}, "--max_predictions_per_seq=126 is not between 1 and the 125"),
        (b"dog\n", {"masked_lm_prob": 0}, "--masked_lm_prob must be above 0 and at most 1 (got 0.0)"),
        (b"dog\n", {"short_seq_prob": 1.5}, "--short_seq_prob must be in [0, 1] (got 1.5)"),
        (b"dog\n", {"dupe_factor": 0}, "--dupe_factor"),
        (b"dog\n", {"max_ngram_size": 2}, "--max_ngram_size needs --do_whole_word_mask"),
        (
            b"dog\n",
            {"max_ngram_size": 2, "do_whole_word_mask": True, "masks": "google-research"},
            "google-research/bert masks no n-grams",
        ),
    ],
)
def test_what_no_examples_can_be_made_of_is_refused_in_a_sentence(
    bertbuild, corpus, tmp_path, content, flags, sentence
):
    assert bertbuild.artifacts.is_dir()
    text = tmp_path / "text.txt"
    text.write_bytes(content)
    ran = stage(text, tmp_path / "out", vocab=corpus / "vocab.txt", **flags)
    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_vocabulary_without_mask_is_refused(bertbuild, corpus, tmp_path):
    vocab = tmp_path / "vocab.txt"
    vocab.write_text((corpus / "vocab.txt").read_text(encoding="utf-8").replace("[MASK]\n", ""), encoding="utf-8")
    error = bertbuild.refused(
        "prepare-pretraining-data", "--input-file", corpus / "a.txt", "--vocab-file", vocab, LINES, code=13
    )
    assert "has no [MASK]; give the model's vocab.txt" in error["message"]
