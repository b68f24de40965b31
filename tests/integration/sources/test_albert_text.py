"""Text of ALBERTs whose pieces are SentencePiece's: predict, prepared data, evaluate, calibration, packages."""

from __future__ import annotations

import json
import subprocess

import family_models
import numpy as np
import pytest
from backends import python
from backends import run as run_script
from family_models import ALBERT_CONFIG, H, NumpyFamily, V, albert_shapes, masked_lm_shapes, values, write_family

from bertbuild.checkpoint.tokenizer_file import read_words
from bertbuild.text.wordpiece import sequence

pytestmark = pytest.mark.integration

LABELS = ("bad", "fair", "good")
HEADS = {
    "text-albert": {"output_weights": (len(LABELS), H), "output_bias": (len(LABELS),)},
    "text-albert-span": {"cls/squad/output_weights": (2, H), "cls/squad/output_bias": (2,)},
    "text-albert-words": masked_lm_shapes(),
}
PIECES = "30k-clean.model"
PLAIN = "abc de (fgh) Déjà"
"""Of no class of texts that tokenizers reads otherwise."""
TEXT, OTHER = "Abc 1999, de (fgh) D\u00e9j\u00e0", "ij, 3"
ROWS = (("abc de", "bad"), ("fgh 1999, i", "good"), ("jjj (a)", "fair"), ("abc de", "bad"), ("g h i", "good"))


@pytest.fixture(scope="module")
def albert(session_folder):
    """Name → its checkpoint."""
    found = {}
    for name, head in HEADS.items():
        tensors = values(albert_shapes() | head)
        found[name] = write_family(session_folder / name, tensors, ALBERT_CONFIG, vocab=False)
        run_script("data", "make_pieces", out=found[name] / PIECES, size=V, seed=5)
    return found


@pytest.fixture(scope="module")
def target(bertbuild, albert):
    """The IR of the classifier; gives how its build ended."""
    return bertbuild.ok("build-ir", "--checkpoint", albert["text-albert"], "--labels", ",".join(LABELS))


def asked(bertbuild, name, *words, target="ir-fp32"):
    (found,) = bertbuild.ok("predict", "--target", f"{name}/{target}", *words).last["answers"]
    return found


def test_a_text_is_read_by_the_model_of_sentencepiece_that_lies_beside_the_weights(bertbuild, albert, target):
    folder = bertbuild.out("text-albert", "ir-fp32")
    assert (folder / "spiece.model").read_bytes() == (albert["text-albert"] / PIECES).read_bytes()
    assert not (folder / "vocab.txt").exists()
    told = json.loads((folder / "text.json").read_text())
    assert (told["tokenizer_file"], told["labels"], told["do_lower_case"]) == ("spiece.model", list(LABELS), True)
    assert told["tokens"]["unknown"] == {"word": "<unk>", "id": 1}
    gate = json.loads((bertbuild.result("text-albert", "ir-fp32", "tokenizer") / "text_gate.json").read_text())
    assert gate["texts"] > 5000
    assert gate["upstream"] == "google-research/albert"
    assert any("as google-research/albert does" in note for note in target.notes)

    numpy = NumpyFamily(values(albert_shapes() | HEADS["text-albert"]), activation="tanh")
    read = read_words((folder / "spiece.model").read_bytes()).tokenizer(lower_case=True)
    for other in (None, OTHER):
        words = ("--text", TEXT, *(() if other is None else ("--text-pair", other)))
        made = sequence(read, read.ids(TEXT), None if other is None else read.ids(other), 128)
        probe = {"input_ids": [made.ids], "input_mask": [[1] * len(made.ids)], "segment_ids": [made.segments]}
        pooled = numpy.answer({name: np.array(value) for name, value in probe.items()})["pooled_output"]
        logits = pooled @ numpy.tensors["output_weights"].T + numpy.tensors["output_bias"]
        shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        found = asked(bertbuild, "text-albert", *words)["probabilities"]
        np.testing.assert_allclose([found[label] for label in LABELS], shares[0], atol=2e-6)


BATCHES = [
    {"text": [TEXT, "", f"{OTHER} " * 40, "ab [SEP] c\0d"]},
    {"text": [TEXT, OTHER], "text_pair": ["abc", f"{TEXT} " * 40]},
    {"text": ["", ""]},
    {"text": [""], "text_pair": [""]},
    {"text": [TEXT]},
]


@pytest.mark.parametrize(
    "special", [pytest.param(False, id="cut"), pytest.param(True, id="such", marks=pytest.mark.whole)]
)
def test_models_that_take_strings_read_pieces_as_predict_does(bertbuild, albert, special):
    name, made = "text-albert", f"ir-text-{'special-' if special else ''}fp32"
    asked_for = ("--text", *(("--special-tokens-in-text",) if special else ()), "--labels", ",".join(LABELS))
    built = bertbuild.ok("build-ir", "--checkpoint", albert[name], *asked_for)
    assert built.verdict(made)["passed"]
    folder = bertbuild.out(name, made)
    told = json.loads((folder / "text.json").read_text())["text_model"]
    known = {"texts": 5536, "differences": {}, "upstream": "google-research/albert"}
    assert told == {**known, **({"special_tokens_in_text": True} if special else {})}
    assert any("reads all of 5,536 texts as google-research/albert does" in note for note in built.notes)

    words = read_words((folder / "spiece.model").read_bytes())
    assert words.tokenizer(lower_case=True).cut_again()
    read = words.tokenizer(lower_case=True, special=words.special if special else ())
    found = run_script("openvino", "text_models", folder=folder, batches=BATCHES)["answered"]
    for batch, one in zip(BATCHES, found, strict=True):
        others = batch.get("text_pair", [None] * len(batch["text"]))
        wanted = [
            sequence(read, read.ids(text), None if other is None else read.ids(other), 128)
            for text, other in zip(batch["text"], others, strict=True)
        ]
        longest = max(len(row.ids) for row in wanted)
        padding = [[0] * (longest - len(row.ids)) for row in wanted]
        assert one["input_ids"] == [row.ids + rest for row, rest in zip(wanted, padding, strict=True)]
        assert one["segment_ids"] == [row.segments + rest for row, rest in zip(wanted, padding, strict=True)]
        assert one["input_mask"] == [[1] * len(row.ids) + rest for row, rest in zip(wanted, padding, strict=True)]
        assert one["same"]
    answer = asked(bertbuild, name, "--text", TEXT, target=made)["probabilities"]
    assert list(answer.values()) == pytest.approx(found[-1]["answers"]["probabilities"][0], abs=1e-6)


@pytest.fixture(scope="module")
def prepared(bertbuild, albert, session_folder):
    """The rows, prepared with the pieces of the classifier."""
    data = session_folder / "albert-mood"
    data.mkdir()
    for split in ("train", "dev"):
        rows = "".join(f"{text}\t{label}\n" for text, label in ROWS)
        (data / f"{split}.tsv").write_text(f"text\tlabel\n{rows}")
    columns = ("--text-column", "text", "--label-column", "label", "--labels", ",".join(LABELS))
    words = ("--task", "own", "--data", data, *columns, "--max-seq-length", "16")
    return bertbuild.ok("prepare-data", "--checkpoint", albert["text-albert"], *words).last["path"]


@pytest.mark.whole
@pytest.mark.usefixtures("target")
def test_predict_answers_texts_as_evaluate_does_prepared_data(bertbuild, albert, prepared, session_folder):
    facts = json.loads((session_folder / prepared / "prepared.json").read_text())
    assert facts["task_type"] == "classification"
    assert "vocab_reading" not in facts
    words = ("--checkpoint", albert["text-albert"], "--prepared", prepared, "--target", "ir-fp32")
    (evaluation,) = bertbuild.ok("evaluate", *words).of("evaluation")
    (row,) = [row for row in evaluation["targets"] if row["target"] == "ir-fp32"]
    texts = session_folder / "albert-mood" / "dev.tsv"
    told = bertbuild.ok("predict", "--target", "text-albert/ir-fp32", "--file", texts).last["answers"]
    right = sum(one["label"] == label for one, (_, label) in zip(told, ROWS, strict=True))
    assert row["metrics"]["accuracy"] == pytest.approx(right / len(ROWS))


@pytest.mark.whole
@pytest.mark.usefixtures("target")
def test_int8_is_calibrated_on_texts_and_on_prepared_data(bertbuild, albert, prepared, session_folder):
    texts = session_folder / "albert-texts.txt"
    texts.write_text("".join(f"{text}\n" for text, _ in ROWS))
    for words in (("--calibration-text", texts), ("--calibration", prepared)):
        labels = ("--labels", ",".join(LABELS))
        bertbuild.ok("build-ir", "--checkpoint", albert["text-albert"], "--precision", "int8", *labels, *words)
        found = asked(bertbuild, "text-albert", "--text", TEXT, target="ir-int8")["probabilities"]
        fine = asked(bertbuild, "text-albert", "--text", TEXT)["probabilities"]
        assert found == pytest.approx(fine, abs=0.1)


@pytest.mark.whole
def test_questions_and_masked_words_are_answered_and_measured(bertbuild, albert, session_folder):
    name = "text-albert-span"
    bertbuild.ok("build-ir", "--checkpoint", albert[name])
    context = "Abc\u00e9 3, jde, (fgh) ij."
    found = asked(bertbuild, name, "--question", "Abc de?", "--context", context)
    begin, end = found["span"]
    assert found["answer"] == context[begin:end]
    answers = [{"text": "jde", "answer_start": context.index("jde")}]
    squad = {
        "data": [
            {
                "title": "t",
                "paragraphs": [{"context": context, "qas": [{"id": "1", "question": "Abc de?", "answers": answers}]}],
            }
        ]
    }
    file = session_folder / "albert-dev-v1.1.json"
    file.write_text(json.dumps({**squad, "version": "1.1"}))
    words = ("--checkpoint", albert[name], "--squad-data-file", file, "--max-seq-length", "64", "--target", "ir-fp32")
    (evaluation,) = bertbuild.ok("evaluate", *words).of("evaluation")
    assert {row["metrics"]["exact_match"] for row in evaluation["targets"]} == {float(found["answer"] == "jde")}

    name = "text-albert-words"
    made = bertbuild.ok("build-ir", "--checkpoint", albert[name], "--output", "masked-lm-logits").last["target"]
    (best,) = asked(bertbuild, name, "--text", "abc [MASK] de", target=made)["masked"]
    pieces = read_words((albert[name] / PIECES).read_bytes()).vocab
    assert {one["word"] for one in best} <= set(pieces)
    texts = session_folder / "albert-masked.txt"
    texts.write_text("abc de\nfgh, 3\n")
    bertbuild.ok("evaluate", "--checkpoint", albert[name], "--text", texts, "--target", "ir-fp32")


@pytest.mark.whole
@pytest.mark.usefixtures("target")
def test_a_plain_package_answers_as_predict_does_of_pieces(bertbuild, session_folder):
    folder = session_folder / "albert-package"
    made = bertbuild.ok("package", "text-albert/ir-fp32", "--to", folder).last
    assert {"spiece.model", "tokenizer.json", "text.json", "predict.py"} <= set(made["files"])
    assert "google-research/albert reads text" in (folder / "README.md").read_text()
    tokenizers = next((python("data").parents[1] / "lib").glob("python3*")) / "site-packages"
    script = f"import runpy, sys; sys.path.append({str(tokenizers)!r}); runpy.run_path('predict.py')"
    done = subprocess.run(
        [python("openvino"), "-c", script, PLAIN], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = asked(bertbuild, "text-albert", "--text", PLAIN)
    assert done.stdout.split() == [found["label"], f"{found['probability']:.4f}"]


def test_a_model_of_sentencepiece_of_another_model_is_refused_where_it_is_named(bertbuild, albert, session_folder):
    other = session_folder / "larger.model"
    run_script("data", "make_pieces", out=other, size=family_models.V + 4, seed=6)
    words = ("build-ir", "--checkpoint", albert["text-albert"], "--vocab", other, "--name", "text-albert-other")
    message = bertbuild.refused(*words, code=4)["message"]
    assert f"has {family_models.V + 4} pieces, but the model knows {family_models.V} words" in message
