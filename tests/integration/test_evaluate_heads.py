"""evaluate: tiny models with each kind of head, on examples whose right answers are what the model itself says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from program import arrays
from tiny_models import CONFIG, weights, write_google

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (*MARKS, *(f"w{number}" for number in range(len(MARKS), CONFIG["vocab_size"])))
HIDDEN, VOCABULARY = CONFIG["hidden_size"], CONFIG["vocab_size"]
SPAN = {"cls/squad/output_weights": (2, HIDDEN), "cls/squad/output_bias": (2,)}
MASKED = {
    "cls/predictions/output_bias": (VOCABULARY,),
    "cls/predictions/transform/dense/kernel": (HIDDEN, HIDDEN),
    "cls/predictions/transform/dense/bias": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/gamma": (HIDDEN,),
    "cls/predictions/transform/LayerNorm/beta": (HIDDEN,),
}
TARGETS = "ir-fp32,ir-fp16"


def write_model(folder, head, seed=2):
    """A tiny checkpoint with the variables of a head, and a vocabulary with BERT's marks."""
    chance = np.random.default_rng(seed)
    own = {name: (chance.standard_normal(shape) * 0.3).astype(np.float32) for name, shape in head.items()}
    made = write_google(folder, {**weights(seed=seed), **own})
    (made / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return made


def rows(outcome):
    (facts,) = outcome.of("evaluation")
    return facts, {row["target"]: row for row in facts["targets"]}


def questions():
    """Questions on random words; some paragraphs take several windows."""
    chance = np.random.default_rng(8)
    for number in range(6):
        words = chance.choice(WORDS[len(MARKS) :], 9 + 8 * number)
        asked = [
            {"id": f"{number}-{which}", "question": " ".join(chance.choice(WORDS[5:], 4)), "answers": [{"text": "w7"}]}
            for which in range(3)
        ]
        yield {"context": " ".join(words), "qas": asked}


@pytest.fixture(scope="module")
def reader(session_folder):
    return write_model(session_folder / "reader", SPAN)


def test_questions_are_answered_alike_by_every_target(bertbuild, reader, tmp_path):
    paragraphs = list(questions())
    file = tmp_path / "dev.json"
    words = ("--squad-data-file", file, "--max-seq-length", 32, "--doc-stride", 8, "--max-query-length", 4)

    def asked(targets):
        file.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}))
        return rows(bertbuild.ok("evaluate", "--checkpoint", reader, *words, "--target", targets))

    facts, found = asked("tf1")
    score = found["tf1"]["keys"]["answers"]
    assert score
    (made,) = (bertbuild.artifacts / "objects" / "score").glob("*/predictions.json")
    answers = json.loads(made.read_text())
    assert len(answers) == 18
    for paragraph in paragraphs:  # what it says is right, but for one question
        for question in paragraph["qas"]:
            question["answers"] = [{"text": answers[question["id"]]}]
    paragraphs[0]["qas"][0]["answers"] = [{"text": "another"}]
    facts, found = asked(TARGETS)
    assert (facts["head"], facts["metric"], facts["passed"]) == ("span", "f1", True)
    for name, row in found.items():
        assert row["metrics"] == pytest.approx({"exact_match": 17 / 18, "f1": 17 / 18}), name
        assert (row["agreement"], row["drop"]) == (1.0, 0.0)
        assert row["max_abs"] <= (5e-2 if name.endswith("16") else 2e-5)


def test_masked_text_has_one_pseudo_perplexity_in_every_target(bertbuild, session_folder, tmp_path):
    folder = write_model(session_folder / "speaker", MASKED)
    text = tmp_path / "lines.txt"
    text.write_text("w9 w8 w7\nw20 w21 w22 w23\n")
    outcome = bertbuild.ok("evaluate", "--checkpoint", folder, "--text", text, "--target", "ir-fp32")
    facts, found = rows(outcome)
    assert (facts["head"], facts["metric"], facts["examples"]) == ("masked-lm", "pseudo_perplexity", 7)
    stored = bertbuild.artifacts / "objects" / "tf1-infer" / found["tf1"]["keys"]["answers"] / "answers.npz"
    expected = np.exp(-arrays(stored)["log_probabilities"].mean(dtype=np.float64))
    assert found["tf1"]["metrics"]["pseudo_perplexity"] == pytest.approx(expected)
    for name, row in found.items():
        assert row["metrics"]["pseudo_perplexity"] == pytest.approx(expected, rel=1e-2 if name.endswith("16") else 1e-5)
        assert row["agreement"] == 1.0 or name.endswith("16")


def test_data_of_another_head_are_refused_by_name(bertbuild, reader, tmp_path):
    text = tmp_path / "lines.txt"
    text.write_text("w9\n")
    error = bertbuild.refused("evaluate", "--checkpoint", reader, "--text", text, code=2)
    assert "has no masked-LM head (cls/predictions/output_bias)" in error["message"]
    assert "its heads: span" in error["message"]
