"""Text of ALBERTs whose pieces are SentencePiece's: predict, prepared data, evaluate, calibration, packages."""

from __future__ import annotations

import json
import subprocess

import family_models
import numpy as np
import pytest
from backends import SCRIPTS, python
from backends import run as run_script
from family_models import ALBERT_CONFIG, H, NumpyFamily, V, albert_shapes, masked_lm_shapes, values, write_family

from bertbuild.checkpoint.tokenizer_file import read_words
from bertbuild.isolation.fetching import find_uv
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


def packed(bertbuild, folder, target, *words):
    """A target as a package in a new folder; gives that, and the names of its files."""
    made = bertbuild.ok("package", target, "--to", folder, *words).last
    assert {"spiece.model", "tokenizer.json", "text.json"} <= set(made["files"])
    assert "vocab.txt" not in made["files"]
    assert "google-research/albert reads text" in (folder / "README.md").read_text()
    return folder, set(made["files"])


def said(folder, backend, *words):
    """What predict.py of a plain package prints, with the backend's own runtime, and tokenizers behind it."""
    tokenizers = next((python("data").parents[1] / "lib").glob("python3*")) / "site-packages"
    script = f"import runpy, sys; sys.path.append({str(tokenizers)!r}); runpy.run_path('predict.py')"
    done = subprocess.run(
        [python(backend), "-c", script, *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


PLAIN_PACKAGES = {
    "ir-fp32": ("openvino", "tokenizers", ("build-ir",)),
    "ir-text-fp32": ("openvino", "openvino-tokenizers", ("build-ir", "--text")),
    "onnx-fp32": ("onnx", "tokenizers", ("convert-onnx",)),
}
"""Target → the backend that has what runs it, the package that reads its text, and the command that makes it."""


@pytest.mark.whole
@pytest.mark.parametrize("made", PLAIN_PACKAGES)
def test_a_plain_package_answers_as_predict_does_of_pieces(bertbuild, albert, session_folder, made):
    backend, reader, command = PLAIN_PACKAGES[made]
    bertbuild.ok(*command, "--checkpoint", albert["text-albert"], "--labels", ",".join(LABELS))
    folder, files = packed(bertbuild, session_folder / f"albert {made}", f"text-albert/{made}")
    assert "predict.py" in files
    assert f"\n{reader}==" in (folder / "requirements.txt").read_text()
    text = TEXT if made == "ir-text-fp32" else PLAIN
    found = asked(bertbuild, "text-albert", "--text", text, target=made)
    assert said(folder, backend, text) == [f"{found['label']} {found['probability']:.4f}"]


@pytest.mark.whole
def test_plain_packages_of_other_heads_read_pieces(bertbuild, albert, session_folder):
    made = bertbuild.ok(
        "build-ir", "--checkpoint", albert["text-albert"], "--name", "text-albert-tags", "--head", "tokens",
        "--labels", ",".join(LABELS),
    ).last["target"]  # fmt: skip
    folder, _ = packed(bertbuild, session_folder / "albert tags", f"text-albert-tags/{made}")
    tags = asked(bertbuild, "text-albert-tags", "--text", PLAIN, target=made)["tags"]
    assert said(folder, "openvino", PLAIN) == [f"{one['word']} {one['tag']}" for one in tags]

    made = bertbuild.ok("build-ir", "--checkpoint", albert["text-albert-span"]).last["target"]
    folder, _ = packed(bertbuild, session_folder / "albert span", f"text-albert-span/{made}")
    context = "jde fgh hij cab"
    (answer,) = said(folder, "openvino", "abc de", context)
    assert answer
    assert answer in context

    command = ("build-ir", "--checkpoint", albert["text-albert-words"], "--output", "masked-lm-logits")
    made = bertbuild.ok(*command).last["target"]
    folder, _ = packed(bertbuild, session_folder / "albert words", f"text-albert-words/{made}")
    text = "abc [MASK] de"
    (best,) = asked(bertbuild, "text-albert-words", "--text", text, target=made)["masked"]
    assert said(folder, "openvino", text) == [" ".join(one["word"] for one in best)]


@pytest.mark.whole
def test_the_model_servers_text_model_answers_as_predict_does_of_pieces(bertbuild, albert, session_folder):
    command = ("build-ir", "--checkpoint", albert["text-albert"], "--text", "--labels", ",".join(LABELS))
    made = bertbuild.ok(*command).last["target"]
    words = (f"text-albert/{made}", "--format", "openvino-model-server")
    folder, _ = packed(bertbuild, session_folder / "albert model server", *words)
    listed = [one["config"] for one in json.loads((folder / "config.json").read_text())["model_config_list"]]
    models = {one["name"]: folder / one["base_path"] / "1" for one in listed}
    assert set(models) == {"text-albert", "text-albert-text", "text-albert-text-pair"}
    model, settings = models["text-albert-text"] / "text_model.xml", listed[0]["plugin_config"]
    script = (
        "import json, openvino, openvino_tokenizers\n"
        f"model = openvino.Core().compile_model({str(model)!r}, 'CPU', {settings})\n"
        f"print(json.dumps(model({{'text': [{TEXT!r}]}})['probabilities'].tolist()))"
    )
    done = subprocess.run([python("openvino"), "-c", script], capture_output=True, text=True, timeout=120, check=True)
    found = asked(bertbuild, "text-albert", "--text", TEXT, target=made)["probabilities"]
    assert json.loads(done.stdout)[0] == pytest.approx(list(found.values()), abs=1e-6)


@pytest.mark.whole
def test_triton_gets_the_models_of_pieces_and_their_labels(bertbuild, albert, session_folder):
    for command, backend in (("build-ir", "openvino"), ("convert-onnx", "onnxruntime")):
        words = (command, "--checkpoint", albert["text-albert"], "--labels", ",".join(LABELS))
        made = bertbuild.ok(*words).last["target"]
        words = (f"text-albert/{made}", "--format", "triton")
        folder, files = packed(bertbuild, session_folder / f"albert {backend}", *words)
        repository = folder / "model_repository" / "text-albert"
        assert f'backend: "{backend}"' in (repository / "config.pbtxt").read_text()
        assert (repository / "labels.txt").read_text().split() == list(LABELS)
        assert any(name.startswith("model_repository/text-albert/1/model.") for name in files)


@pytest.mark.whole
def test_tensorflows_server_is_warmed_up_with_texts_of_pieces(bertbuild, albert, session_folder):
    words = ("--checkpoint", albert["text-albert"], "--format", "savedmodel", "--labels", ",".join(LABELS))
    made = bertbuild.ok("convert-tf2", *words).last["target"]
    texts = session_folder / "albert-warm-up.txt"
    texts.write_text(f"{TEXT}\n{PLAIN}\n")
    words = (f"text-albert/{made}", "--format", "tensorflow-serving", "--examples", texts)
    folder, files = packed(bertbuild, session_folder / "albert serving", *words)
    assert "model/1/assets/spiece.model" in files
    place = session_folder / "serving api"
    words = ("install", "--quiet", "--no-deps", "--target", place, "tensorflow-serving-api==2.20.0")
    subprocess.run([find_uv(), "pip", *words], check=True, timeout=300)
    script = [python("tf2"), SCRIPTS / "warm_up.py", folder / "model" / "1", place]
    done = subprocess.run(script, capture_output=True, text=True, timeout=300, check=True)
    for text, one in zip((TEXT, PLAIN), json.loads(done.stdout.splitlines()[-1]), strict=True):
        found = asked(bertbuild, "text-albert", "--text", text, target=made)["probabilities"]
        assert one["probabilities"][0] == pytest.approx(list(found.values()), abs=1e-5)


def test_a_model_of_sentencepiece_of_another_model_is_refused_where_it_is_named(bertbuild, albert, session_folder):
    other = session_folder / "larger.model"
    run_script("data", "make_pieces", out=other, size=family_models.V + 4, seed=6)
    words = ("build-ir", "--checkpoint", albert["text-albert"], "--vocab", other, "--name", "text-albert-other")
    message = bertbuild.refused(*words, code=4)["message"]
    assert f"has {family_models.V + 4} pieces, but the model knows {family_models.V} words" in message
