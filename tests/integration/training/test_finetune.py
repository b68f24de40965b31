"""finetune: bert-tensorflow's run_classifier and run_squad on toy tasks, ended and gone on with."""

from __future__ import annotations

import hashlib
import json
import re
import time

import numpy as np
import pytest
from backends import run as run_script
from matrix import WHOLE
from numpy_bert import NumpyBert
from prepared_data import (
    SIGNAL,
    SQUAD_LENGTH,
    squad_rows,
    squad_texts,
    toy_rows,
    write_prepared,
    write_special_vocab,
    write_squad,
    write_toy,
)
from processes import left_after
from program import ROOT
from tf2_models import tensors
from tiny_models import CONFIG, weights, write_google

pytestmark = pytest.mark.integration

ROLES = ("input_ids", "input_mask", "segment_ids")
SMALL = 0.08
"""Times the weights of the other tests, which are too large to be trained."""

STEPS = 400 if WHOLE else 40
EVERY = STEPS // 10
ALL = ("--do_train", "--do_eval", "--do_predict")
RECIPE = (*ALL, "--train_batch_size=16", "--learning_rate=2e-3", "--num_train_epochs=10")
RECIPE += (f"--save_checkpoints_steps={EVERY}",)


def trainable(folder):
    """A tiny checkpoint as training begins with one."""
    tensors = {
        name: value if name.endswith("gamma") else value * np.float32(SMALL) for name, value in weights(seed=2).items()
    }
    return write_google(folder, tensors)


@pytest.fixture(scope="module")
def fresh_model(session_folder):
    return trainable(session_folder / "untrained")


@pytest.fixture(scope="module")
def toy(session_folder, fresh_model):
    return write_toy(session_folder / "toy-data", fresh_model, train=16 * STEPS // 10)


def saved(folder):
    return sorted(int(re.search(r"-(\d+)\.index", path.name)[1]) for path in folder.glob("model.ckpt-*.index"))


@pytest.fixture(scope="module")
def tuned(bertbuild, fresh_model, toy):
    """A run that was killed, whose newest checkpoint was then damaged, and that was started again; what was seen."""
    words = ("finetune", "--checkpoint", fresh_model, "--prepared", toy, *RECIPE)
    process = bertbuild.start(*words)
    deadline = time.monotonic() + 120
    folders = bertbuild.artifacts / "unfinished" / "finetune"
    while not (kept := [path for path in folders.glob("*") if saved(path)[-1:] >= [3 * EVERY]]):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    assert left_after(1.0, bertbuild.artifacts) == []
    *_, older, newest = saved(kept[0])
    with (kept[0] / f"model.ckpt-{newest}.data-00000-of-00001").open("r+b") as file:
        file.seek(5000)
        file.write(b"damaged")
    (kept[0] / "model.ckpt-9999.data-00000-of-00001").write_bytes(b"killed while saving")
    (kept[0] / "model.ckpt-9998_temp_1f").mkdir()
    with (kept[0] / "history.jsonl").open("a") as file:
        file.write('{"step": 9999, "lo')
    return {"older": older, "newest": newest, "kept": kept[0], "outcome": bertbuild.ok(*words)}


@pytest.fixture(scope="module")
def result(bertbuild, tuned):
    assert tuned["outcome"].code == 0
    return bertbuild.out("untrained", "finetuned-toy")


def table(path):
    """eval_results.txt as a dict."""
    return {name: float(value) for name, value in (line.split(" = ") for line in path.read_text().splitlines())}


def test_it_learns_the_task(result, tuned):
    figures = table(result / "eval_results.txt")
    assert set(figures) == {"eval_accuracy", "eval_loss", "loss", "global_step"}
    assert figures["eval_accuracy"] > 0.95 or not WHOLE, "the majority class is 0.667"
    assert figures["global_step"] == STEPS
    assert tuned["outcome"].last["eval"]["eval_accuracy"] == pytest.approx(figures["eval_accuracy"])
    history = json.loads((result / "history.json").read_text())
    assert history["loss"][0] > 0.4
    assert history["loss"][-1] < (0.1 if WHOLE else history["loss"][0])


def test_predictions_are_in_the_order_of_the_records(result):
    rows = [
        [float(value) for value in line.split("\t")] for line in (result / "test_results.tsv").read_text().splitlines()
    ]
    assert np.sum(rows, axis=1) == pytest.approx(1, abs=1e-5)
    asked = list(toy_rows(30, seed=3))
    inputs = {role: np.array([row[role] for row in asked], np.int32) for role in ROLES}
    model = NumpyBert(tensors(result / "bert_model.ckpt"), heads=CONFIG["num_attention_heads"], activation="erf")
    assert np.abs(rows - model.answer(inputs)["probabilities"]).max() < 1e-5
    assert [int(yes > no) for no, yes in rows] == [row["label_ids"][0] for row in asked] or not WHOLE


def test_a_killed_run_goes_on_from_the_newest_checkpoint_that_is_whole(result, tuned):
    older, notes = tuned["older"], tuned["outcome"].notes
    assert older == tuned["newest"] - EVERY
    assert any(f"checkpoint of step {tuned['newest']} is damaged (Checksum does not match" in note for note in notes)
    assert any(f"going on after step {older} of {STEPS} of a run" in note for note in notes)
    history = json.loads((result / "history.json").read_text())
    assert history["resumed"] == [older]
    assert history["step"] == list(range(1, STEPS + 1)), "each step once"
    assert tuned["outcome"].of("training")[0]["step"] > older
    assert not tuned["kept"].exists(), "nothing is kept once there is a result"


def test_the_learning_rate_is_upstreams_through_the_kill(result):
    history = json.loads((result / "history.json").read_text())
    warmup = STEPS // 10
    wanted = [2e-3 * (step / warmup if step < warmup else 1 - step / STEPS) for step in range(STEPS)]
    assert history["learning_rate"] == pytest.approx(wanted, abs=1e-9)


def test_events_of_both_runs_are_kept(result, tuned):
    read = run_script("tf1", "read_events", folder=result / "events")
    assert len(read) == 2, "a file of each run"
    first, second = sorted((steps["loss_1"] for steps in read), key=min)  # upstream's tag
    assert first == list(range(first[0], first[-1] + 1))
    assert first[0] <= 2
    assert first[-1] >= tuned["older"] - 1, "written when a checkpoint is"
    assert second[0] in (tuned["older"] + 1, tuned["older"] + 2)
    assert second[-1] >= STEPS - 1
    assert all({"learning_rate", "examples/sec"} <= set(steps) for steps in read)


def test_the_checkpoint_is_a_google_format_one_of_the_gelu_it_was_trained_with(bertbuild, result):
    facts = bertbuild.ok("inspect", "--checkpoint", result).last["inspection"]
    assert facts["problems"] == []
    assert facts["heads"]["classifier_labels"] == 2
    assert facts["graph"]["gelu"] == "erf"
    assert facts["graph"]["published_form"] is not None
    assert not facts["optimizer_slots"]
    task = json.loads((result / "task.json").read_text())
    assert (task["task"], task["labels"], task["max_seq_length"]) == ("TOY", ["no", "yes"], 16)
    assert task["training"]["seed"] == 1
    assert (result / "training.svg").read_text().startswith("<svg")


def test_it_becomes_an_ir_and_the_saved_model_of_appendix_1(bertbuild, result):
    built = bertbuild.ok("build-ir", "--checkpoint", result, "--output", "probabilities")
    assert built.verdict("ir-probabilities-fp32")["passed"]
    exported = bertbuild.ok("export", "--checkpoint", result, "--seq-len", "16")
    assert exported.verdict("saved-model-s16")["passed"]


def test_a_second_time_there_is_nothing_to_do_however_often_is_saved(bertbuild, fresh_model, toy, tuned):
    again = bertbuild.ok(
        "finetune", "--checkpoint", fresh_model, "--prepared", toy, *RECIPE[:-1], "--save-checkpoints-steps=7"
    )
    assert again.ids("started") == []
    assert again.last == tuned["outcome"].last


REFUSED = {
    "a type that nobody knows": ({"task_type": "ranking"}, {}, "has the task_type ranking; known are classification"),
    "classes for scores": ({"task_type": "regression", "labels": []}, {}, "label_ids"),
    "one label for several": ({"task_type": "multi-label"}, {}, "label_ids"),
    "one class": ({"labels": ["no"]}, {}, "names 1 labels; a task of the type classification needs 2"),
    "another vocabulary": ({"vocab_sha256": "0" * 64}, {}, "prepared with another vocabulary (sha256 000000000000…)"),
    "another length": ({}, {"max_seq_length": 32}, "--max_seq_length=32, but"),
    "too long": ({"max_seq_length": 512}, {}, "the model's position table ends at 160"),
    "a label outside the task": (
        {"label": 2},
        {},
        "example 5 has label 2, but TOY has only the labels 0 to 1 (no, yes)",
    ),
    "a word outside the vocabulary": ({"word": 60}, {}, "example 5 has a token id outside 0 to 59"),
    "records of another length": ({"length": 12}, {}, "input_ids"),
    "a broken file": ({"broken": True}, {}, "is damaged: truncated record"),
    "no records": ({"train": 0}, {}, "train.tf_record, which --do_train needs"),
    "a folder that tells nothing": ({"vocab_sha256": None}, {}, "does not say 'vocab_sha256'"),
    "SQuAD without questions": (
        {"task": "SQUAD-1.1", "task_type": "squad"},
        {"do_predict": True},
        "--squad=dev-v1.1.json",
    ),
    "like lengths of padded rows": (
        {},
        {"bucket_by_length": True, "pad_to_max": True},
        "--bucket_by_length is of no use where --pad_to_max pads every row",
    ),
    "like lengths of SQuAD": (
        {"task": "SQUAD-1.1", "task_type": "squad"},
        {"bucket_by_length": True},
        "--bucket_by_length is of no use where the loss reads every place of a row",
    ),
    "SQuAD's questions for another task": ({}, {"squad": "dev.json"}, "--squad is for SQuAD; the data is of TOY"),
}


def spoilt(folder, model, *, label=None, word=None, length=16, broken=False, train=8, **told):
    rows = list(toy_rows(train, seed=1, length=length))
    if label is not None:
        rows[4]["label_ids"] = [label]
    if word is not None:
        rows[4]["input_ids"][3] = word
    write_prepared(folder, model, train=rows, **told)
    if broken:
        (folder / "train.tf_record").write_bytes((folder / "train.tf_record").read_bytes()[:-9])
    if None in told.values():
        facts = json.loads((folder / "prepared.json").read_text())
        (folder / "prepared.json").write_text(json.dumps({name: value for name, value in facts.items() if value}))
    return folder


def test_what_does_not_fit_is_refused_before_a_step_is_made(bertbuild, fresh_model, tmp_path):
    assert bertbuild.artifacts.is_dir()
    asked = [
        {"data": spoilt(tmp_path / f"{number}", fresh_model, **told), "flags": flags}
        for number, (told, flags, _) in enumerate(REFUSED.values())
    ]
    said = run_script("tf1", "finetune_refusals", root=ROOT, checkpoint=fresh_model, asked=asked)
    for (name, (_, _, wanted)), sentence in zip(REFUSED.items(), said, strict=True):
        assert wanted in sentence, name


def test_the_program_tells_a_refusal_and_names_nothing(bertbuild, fresh_model, tmp_path):
    folder = spoilt(tmp_path / "data", fresh_model, label=7)
    error = bertbuild.refused("finetune", "--checkpoint", fresh_model, "--name=refused", "--prepared", folder, code=13)
    assert "example 5 has label 7" in error["message"]
    assert not bertbuild.out("refused", "finetuned-toy").exists()


def of_many_lengths(count):
    """The toy task's examples, the signal among their first words, padded from a place of chance on."""
    chance = np.random.default_rng(9)
    for row in toy_rows(count, seed=1):
        ids, mask = np.array(row["input_ids"]), np.arange(len(row["input_ids"])) < chance.integers(4, 17)
        ids[1:4] = SIGNAL if row["label_ids"] == [1] else 4
        yield {**row, "input_ids": ids * mask, "input_mask": mask.astype(int).tolist()}


def test_batches_of_rows_of_like_length_are_trained_on(bertbuild, fresh_model, session_folder):
    data = session_folder / "lengths-data"
    write_prepared(data, fresh_model, train=of_many_lengths(96), dev=toy_rows(8, seed=2), task="LENGTHS")
    flags = ("--bucket-by-length", "--train-batch-size=8", "--learning-rate=2e-3", "--num-train-epochs=2")
    bertbuild.ok("finetune", "--checkpoint", fresh_model, "--prepared", data, *flags, "--name=bucketed")
    result = bertbuild.out("bucketed", "finetuned-lengths")
    history = json.loads((result / "history.json").read_text())
    assert history["step"] == list(range(1, 25))
    assert np.mean(history["loss"][-4:]) < np.mean(history["loss"][:4])
    assert json.loads((result / "task.json").read_text())["training"]["bucket_by_length"] is True


def test_squad_with_questions_that_have_no_answer(bertbuild, session_folder):
    model = trainable(session_folder / "reader")
    write_special_vocab(model, CONFIG["vocab_size"])
    data = write_prepared(
        session_folder / "squad-data",
        model,
        train=squad_rows(squad_texts(640 if WHOLE else 160, seed=1, negative=True)),
        task="SQUAD-2.0",
        task_type="squad",
        labels=[],
        max_seq_length=SQUAD_LENGTH,
        version_2_with_negative=True,
    )
    texts = list(squad_texts(40, seed=2, negative=True))
    questions = write_squad(session_folder / "dev.json", texts)
    epochs = 6 if WHOLE else 1
    flags = ("--train_batch_size=16", "--learning_rate=2e-3", f"--num_train_epochs={epochs}", "--max_query_length=8")
    bertbuild.ok("finetune", "--checkpoint", model, "--prepared", data, "--squad", questions, *flags)
    result = bertbuild.out("reader", "finetuned-squad-2.0")
    predictions = json.loads((result / "predictions.json").read_text())
    wanted = {f"{index}": f"w{SIGNAL}" if place >= 0 else "" for index, (_, place) in enumerate(texts)}
    assert list(predictions) == list(wanted)
    assert sum(predictions[name] == wanted[name] for name in wanted) >= 36 or not WHOLE
    odds = json.loads((result / "null_odds.json").read_text())
    assert all((odds[name] > 0) == (not predictions[name]) for name in wanted)
    best = json.loads((result / "nbest_predictions.json").read_text())
    assert all(sum(entry["probability"] for entry in entries) == pytest.approx(1) for entries in best.values())
    assert (
        hashlib.sha256((result / "vocab.txt").read_bytes()).digest()
        == hashlib.sha256((model / "vocab.txt").read_bytes()).digest()
    )
