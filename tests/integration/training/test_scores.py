"""The stages that ask and judge tags, several labels, questions and masked text, held to upstream's own programs."""

from __future__ import annotations

import json
import os
import subprocess

import backends
import numpy as np
import pytest
from program import DATA

from bertbuild.metrics.classification import macro_average_precision
from bertbuild.metrics.tags import entity_f1
from bertbuild.project import ROOT

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefgh",
    "##a",
    "##s",
    "'",
    ".",
    "(",
    ")",
    "東",
    "oslo",
    "river",
]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def stage(name, out, code=0, **words):
    """Runs a stage of data by hand."""
    done = subprocess.run(
        [
            *(str(backends.python("data")), "-m", f"stages.{name}", f"--out={out}"),
            *(f"--{flag.replace('_', '-')}={value}" for flag, value in words.items()),
        ],
        env={**os.environ, "PYTHONPATH": ":".join(str(ROOT / part) for part in ("docker/data", "docker/common", ""))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr[-2000:]
    return out if code == 0 else done.stderr


def scores(folder):
    return json.loads((folder / "scores.json").read_text())


@pytest.fixture(scope="module")
def vocab(bertbuild, tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n")
    assert bertbuild.artifacts.is_dir()
    return path


def written(folder, examples, answers, **told):
    for name, arrays in (("examples/features", examples), ("answers/answers", answers)):
        (folder / name).parent.mkdir()
        np.savez(folder / f"{name}.npz", **arrays)
    (folder / "examples" / "examples.json").write_text(json.dumps(told))
    return {"examples": folder / "examples", "answers": folder / "answers"}


def small_squad(negatives):
    """Questions on random words with marks, capitals and accents; some paragraphs take several windows."""
    chance = np.random.default_rng(3)
    words = ["A", "bá", "C's", "(d)", "E.", "f's", "東g", "h", "Oslo", "rivers", "zzz", "a.\u00a0b"]
    paragraphs = []
    for number in range(12):
        context = " ".join(chance.choice(words, int(chance.integers(1, 60)))) + ("\n" if number % 3 else " ")
        questions = [
            {
                "id": f"{number}-{which}",
                "question": " ".join(chance.choice(words, 7)),
                "answers": [] if negatives and which else [{"text": context[:3], "answer_start": 0}],
                "is_impossible": bool(negatives and which),
            }
            for which in range(3)
        ]
        paragraphs.append({"context": context, "qas": questions})
    return {"data": [{"title": "one", "paragraphs": paragraphs[:7]}, {"title": "two", "paragraphs": paragraphs[7:]}]}


@pytest.mark.parametrize("negatives", [False, True])
def test_questions_have_run_squads_windows_and_answers(vocab, tmp_path, negatives):
    (tmp_path / "squad.json").write_text(json.dumps(small_squad(negatives)))
    sizes = (24, 5, 6)
    flags = dict(zip(("max_seq_length", "max_query_length", "doc_stride"), sizes, strict=True))
    made = stage("squad_examples", tmp_path / "made", data=tmp_path / "squad.json", vocab=vocab, **flags)
    (tmp_path / "theirs").mkdir()
    asked = {"data": tmp_path / "squad.json", "vocab": vocab, "examples": made, "out": tmp_path / "theirs"}
    found = backends.run("tf1", "squad_answers", **asked, sizes=sizes, negatives=negatives, ties=negatives)
    assert found["differing"] == []
    assert (found["questions"], found["windows"] > 60) == (36, True)
    short = {**flags, "max_seq_length": 8}
    said = stage("squad_examples", tmp_path / "short", code=2, data=tmp_path / "squad.json", vocab=vocab, **short)
    assert "question '0-0' has 5 pieces, which leaves no room for its paragraph in --max-seq-length 8" in said


@pytest.mark.whole
@pytest.mark.parametrize(("negatives", "ties"), [(False, False), (False, True), (True, False), (True, True)])
def test_squads_questions_have_run_squads_windows_and_answers(vocab, tmp_path, negatives, ties):
    if not (DATA / "squad" / "dev-v1.1.json").exists():
        pytest.skip("needs ../shared/data/squad/dev-v1.1.json beside the repository")
    assert vocab.is_file()
    data = json.loads((DATA / "squad" / "dev-v1.1.json").read_text())
    (tmp_path / "squad.json").write_text(json.dumps({"data": data["data"][:6]}))
    words = DATA / "vocab" / "uncased.vocab.txt"
    made = stage("squad_examples", tmp_path / "made", data=tmp_path / "squad.json", vocab=words)
    (tmp_path / "theirs").mkdir()
    asked = {"data": tmp_path / "squad.json", "vocab": words, "examples": made, "out": tmp_path / "theirs"}
    found = backends.run("tf1", "squad_answers", **asked, sizes=(384, 64, 128), negatives=negatives, ties=ties)
    assert found == {"questions": 2145, "windows": 2177, "differing": []}


def test_tags_are_judged_as_seqeval_judges_them(bertbuild, tmp_path):
    assert bertbuild.artifacts.is_dir()
    labels = np.full((3, 6), -1)
    labels[0, 1:5] = [1, 2, 0, 3]  # a sentence in two parts: B-PER I-PER O B-LOC + I-LOC
    labels[1, 1] = 4
    labels[2, 1:4] = [0, 1, 2]
    given = np.maximum(labels, 0)
    given[2, 2] = 2  # I-PER I-PER: the entity for conlleval, none for IOB2
    given[0, 4] = 0  # and the LOC begins one too late
    told = np.eye(len(TAGS))[given] * 4
    roles = dict.fromkeys(("input_ids", "input_mask", "segment_ids"), np.zeros((3, 6), np.int32))
    examples = {**roles, "label_ids": labels, "sentence_id": np.array([0, 0, 1])}
    inputs = written(tmp_path, examples, {"logits": told}, labels=TAGS)
    found = scores(stage("score", tmp_path / "default", head="tokens", **inputs))
    assert found["metrics"] == pytest.approx(
        {"entity_f1": 4 / 6, "entity_precision": 2 / 3, "entity_recall": 2 / 3, "token_accuracy": 6 / 8}
    )
    assert found["given"] == ["B-PER", "I-PER", "O", "O", "I-LOC", "O", "I-PER", "I-PER"]
    strict = scores(stage("score", tmp_path / "strict", head="tokens", tag_scheme="IOB2", **inputs))
    assert strict["metrics"] == pytest.approx({**found["metrics"], "strict_entity_f1": 2 / 4})
    assert (tmp_path / "strict" / "predictions.txt").read_text() == "B-PER I-PER O O I-LOC\nO I-PER I-PER\n"
    refused = stage("score", tmp_path / "bad", code=2, head="tokens", **{**inputs, "answers": tmp_path / "examples"})
    assert "cannot read answers.npz" in refused


def test_several_labels_are_judged_as_scikit_learn_judges_them(bertbuild, tmp_path):
    assert bertbuild.artifacts.is_dir()
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
    told = np.array([[0.9, 0.6, 0.1], [0.8, 0.7, 0.1], [0.7, 0.2, 0.1], [0.1, 0.1, 0.1]])
    roles = dict.fromkeys(("input_ids", "input_mask", "segment_ids"), np.zeros((4, 2), np.int32))
    inputs = written(tmp_path, {**roles, "label_ids": labels}, {"probabilities": told}, labels=["a", "b", "c"])
    found = scores(stage("score", tmp_path / "out", head="multi-label", **inputs))
    # a: 2 right, 1 wrong; b: 1 right, 1 wrong, 1 missed (precision 1 at the first, 2/3 at the second); c: nothing
    figures = {"micro_f1": 6 / 9, "macro_f1": (4 / 5 + 2 / 4 + 0) / 3, "macro_average_precision": (1 + 5 / 6 + 0) / 3}
    assert found["metrics"] == pytest.approx(figures)
    assert found["given"] == [[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert np.loadtxt(tmp_path / "out" / "predictions.tsv").tolist() == told.tolist()
    np.savez(tmp_path / "answers" / "answers.npz", probabilities=told * np.nan)
    assert scores(stage("score", tmp_path / "nan", head="multi-label", **inputs)) == {"given": [], "metrics": {}}


def test_text_is_masked_piece_by_piece(vocab, tmp_path):
    (tmp_path / "text").write_text("Oslo a.\nriver\n")
    text = stage("text_examples", tmp_path / "text-examples", text=tmp_path / "text", vocab=vocab, max_seq_length=8)
    made = stage("masked_examples", tmp_path / "masked", examples=text, vocab=vocab)
    with np.load(made / "features.npz") as file:
        found = dict(file)
    oslo, a, stop, river = (WORDS.index(word) for word in ("oslo", "a", ".", "river"))
    cls, end, mask = 2, 3, 4
    assert found["label_ids"].tolist() == [oslo, a, stop, river]
    assert found["position"].tolist() == [1, 2, 3, 1]
    assert found["input_ids"][:, :5].tolist() == [
        [cls, mask, a, stop, end],
        [cls, oslo, mask, stop, end],
        [cls, oslo, a, mask, end],
        [cls, mask, end, 0, 0],
    ]
    (tmp_path / "answers").mkdir()
    chances = np.log([0.5, 0.25, 0.125, 1]).astype(np.float32)
    np.savez(tmp_path / "answers" / "answers.npz", log_probabilities=chances, best=np.array([oslo, 1, 1, river]))
    figures = scores(stage("score", tmp_path / "out", head="masked-lm", examples=made, answers=tmp_path / "answers"))
    assert figures["metrics"] == pytest.approx({"pseudo_perplexity": 64**0.25})


def test_the_figures_that_int8_is_bounded_by_are_the_libraries_own(bertbuild):
    assert bertbuild.artifacts.is_dir()
    chance = np.random.default_rng(5)
    marks = [
        "O",
        "O",
        "O",
        *(f"{mark}-{kind}" for mark in "BIESLU" for kind in ("PER", "LOC")),
        "B",
        "I",
        "PER",
        "B-A-B",
    ]
    sentences = [[chance.choice(marks, int(chance.integers(1, 12))).tolist() for _ in range(20)] for _ in range(40)]
    tags = [
        [[right], [[str(chance.choice([tag, "O", "I-PER"], p=(0.7, 0.2, 0.1))) for tag in right]]]
        for some in sentences
        for right in some
    ]
    shape = (9, 3)
    labels = [[chance.integers(0, 2, shape).tolist(), chance.random(shape).round(1).tolist()] for _ in range(20)]
    labels.append([[[0, 1], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]])
    theirs = backends.run("data", "task_metrics", tags=tags, labels=labels)
    np.testing.assert_allclose([entity_f1(*one) for one in tags], theirs["tags"], rtol=0, atol=1e-12)
    ours = [macro_average_precision(np.array(one), np.array(other)) for one, other in labels]
    np.testing.assert_allclose(ours, theirs["labels"], rtol=0, atol=1e-12)
