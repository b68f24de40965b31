"""evaluate: tiny models with each kind of head, on examples whose right answers are what the model itself says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy_bert import NumpyBert
from prepared_folders import features
from program import arrays
from records import write_records
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
    return write_model(session_folder / "span-reader", SPAN)


def test_questions_are_answered_alike_by_every_target(bertbuild, reader, tmp_path):
    paragraphs = list(questions())
    file = tmp_path / "dev.json"
    words = ("--squad-data-file", file, "--max-seq-length", 32, "--doc-stride", 8, "--max-query-length", 4)

    def asked(targets):
        file.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}))
        return rows(bertbuild.ok("evaluate", "--checkpoint", reader, *words, "--target", targets))

    facts, found = asked("tf1")
    made = bertbuild.artifacts / "objects" / "score" / found["tf1"]["keys"]["score"]
    answers = json.loads((made / "predictions.json").read_text())
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


COUNT, LENGTH = 24, 16
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def hidden_of(folder, tensors, inputs):
    """Pooled output and hidden states of the last layer, by NumPy's BERT."""
    assert folder.is_dir()
    answered = NumpyBert(tensors, heads=CONFIG["num_attention_heads"], activation="erf").answer(inputs)
    return answered["pooled_output"], answered["sequence_output"]


def write_task(folder, model, task_type, inputs, labels, more=None, names=LABELS):
    """A folder as prepare-data leaves it, with the dev set's examples as training examples too."""
    folder.mkdir()
    rows = [
        {
            **{role: values[row].tolist() for role, values in inputs.items()},
            "label_ids": np.atleast_1d(labels[row]).tolist(),
            "is_real_example": [1],
            **{name: [int(values[row])] for name, values in (more or {}).items()},
        }
        for row in range(COUNT)
    ]
    for name in ("train", "eval"):
        write_records(folder / f"{name}.tf_record", rows)
    facts = {"task": "OURS", "task_type": task_type, "labels": list(names), "max_seq_length": LENGTH}
    facts["vocab_sha256"] = hashlib.sha256((model / "vocab.txt").read_bytes()).hexdigest()
    (folder / "prepared.json").write_text(json.dumps(facts))
    return folder


def tuned(folder, head, classes):
    """A checkpoint with output_weights whose task.json says what they are; its tensors; and inputs."""
    tensors = weights(seed=6, labels=classes)
    model = write_google(folder, tensors)
    (model / "task.json").write_text(json.dumps({"task": "OURS", "head": head}))
    return model, tensors, features(COUNT, length=LENGTH, vocab_size=CONFIG["vocab_size"])


def test_tags_are_judged_by_entities_in_every_target(bertbuild, session_folder):
    model, tensors, inputs = tuned(session_folder / "tagger", "tokens", len(LABELS))
    _, hidden = hidden_of(model, tensors, inputs)
    logits = hidden @ tensors["output_weights"].T + tensors["output_bias"]
    asked = (np.arange(LENGTH) > 0) & (inputs["input_mask"] == 1)
    labels = np.where(asked, logits.argmax(axis=-1), -1)
    right, wrong = int(asked.sum()), 5
    places = np.argwhere(asked)[:wrong]
    labels[tuple(places.T)] = (labels[tuple(places.T)] + 1) % len(LABELS)
    data = write_task(session_folder / "tags", model, "tagging", inputs, labels, {"sentence_id": np.arange(COUNT) // 2})
    words = ("--prepared", data, "--tag-scheme", "IOB2", "--target", "ir-fp32,ir-int8", "--max-drop", 1)
    facts, found = rows(bertbuild.ok("evaluate", "--checkpoint", model, *words))
    assert (facts["head"], facts["metric"]) == ("tokens", "entity_f1")
    for name in ("tf1", "ir-fp32"):
        assert found[name]["metrics"]["token_accuracy"] == pytest.approx(1 - wrong / right)
        assert 0 < found[name]["metrics"]["strict_entity_f1"] < found[name]["metrics"]["entity_f1"] < 1
    assert found["ir-fp32"]["agreement"] == 1.0
    assert 0.5 < found["ir-int8"]["agreement"] < 1.0
    made = bertbuild.artifacts / "objects" / "quantize" / found["ir-int8"]["keys"]["result"] / "stage.json"
    assert len(json.loads(made.read_text())["facts"]["left_in_float32"]) == 1  # the head's own layer


@pytest.mark.whole
def test_several_labels_are_judged_by_their_mean_average_precision(bertbuild, session_folder):
    model, tensors, inputs = tuned(session_folder / "labeller", "multi-label", 3)
    pooled, _ = hidden_of(model, tensors, inputs)
    labels = (pooled @ tensors["output_weights"].T + tensors["output_bias"] > 0).astype(int)
    data = write_task(session_folder / "labels", model, "multi-label", inputs, labels, names=("a", "b", "c"))
    words = ("--prepared", data, "--target", "ir-fp32,ir-int8", "--max-drop", 1)
    facts, found = rows(bertbuild.ok("evaluate", "--checkpoint", model, *words))
    assert (facts["head"], facts["metric"]) == ("multi-label", "macro_average_precision")
    figures = {"macro_average_precision": 1.0, "micro_f1": 1.0, "macro_f1": 1.0}
    assert found["tf1"]["metrics"] == found["ir-fp32"]["metrics"] == pytest.approx(figures)


@pytest.mark.whole
def test_scores_are_judged_by_their_correlation(bertbuild, session_folder):
    model, tensors, inputs = tuned(session_folder / "scorer", "regression", 1)
    pooled, _ = hidden_of(model, tensors, inputs)
    labels = (pooled @ tensors["output_weights"].T + tensors["output_bias"])[:, 0] * 2.0 + 1
    data = write_task(session_folder / "scores", model, "regression", inputs, labels.astype(float), names=())
    words = ("--prepared", data, "--target", "ir-fp32", "--max-drop", 1)
    facts, found = rows(bertbuild.ok("evaluate", "--checkpoint", model, *words))
    assert (facts["head"], facts["metric"]) == ("regression", "pearson")
    assert found["tf1"]["metrics"] == pytest.approx({"pearson": 1.0, "spearman": 1.0}, abs=1e-4)
    assert (found["ir-fp32"]["agreement"], found["ir-fp32"]["drop"]) == (None, pytest.approx(0, abs=1e-6))


@pytest.mark.whole
def test_int8_is_bounded_by_the_answers_of_a_reader(bertbuild, reader, session_folder, tmp_path):
    chance = np.random.default_rng(1)
    inputs = features(COUNT, length=LENGTH, vocab_size=CONFIG["vocab_size"])
    data = write_task(session_folder / "reading", reader, "squad", inputs, chance.integers(0, 2, COUNT), names=())
    file = tmp_path / "dev.json"
    file.write_text(json.dumps({"data": [{"title": "t", "paragraphs": list(questions())}]}))
    words = ("--precision", "int8", "--calibration", data, "--validation", file, "--max-drop", "0.5")
    built = bertbuild.ok("build-ir", "--checkpoint", reader, *words)
    (target,) = built.last["targets"]
    assert target["target"] == "ir-drop0.5-int8"
    told = json.loads((Path(target["path"]) / "stage.json").read_text())["facts"]
    assert (told["accuracy"]["metric"], told["accuracy"]["examples"] > 18) == ("f1", True)
    assert len(told["left_in_float32"]) == 1


def test_data_of_another_head_are_refused_by_name(bertbuild, reader, tmp_path):
    text = tmp_path / "lines.txt"
    text.write_text("w9\n")
    error = bertbuild.refused("evaluate", "--checkpoint", reader, "--text", text, code=2)
    assert "has no masked-LM head (cls/predictions/output_bias)" in error["message"]
    assert "its heads: span" in error["message"]
