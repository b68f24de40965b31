"""train: the Model Garden's programs on toy tasks, on one device and on two; killed, and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tf2_models
from matrix import WHOLE, cells
from numpy_bert import NumpyBert
from processes import left_after
from program import arrays, events_until
from tiny_models import CONFIG, weights, write_google
from toy_task import write_squad, write_task

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.recovery import recover

CALM = {**CONFIG, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""Without chance but in the order of examples, so that losses can be compared."""
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FAST = ("--train_batch_size", 8, "--eval_batch_size", 6, "--learning_rate", "3e-3")
EPOCHS = 12 if WHOLE else 2
STEPS = 4 * EPOCHS
"""Few are enough to see that the loss falls; the whole suite trains until the task is learnt."""
FEW = (*FAST, "--num_train_epochs", EPOCHS)
SQUAD = ("--train_batch_size", 4, "--predict_batch_size", 4, "--num_train_epochs", 1)


@pytest.fixture(scope="module")
def toy(session_folder):
    """A tiny model whose gradients are too small to be clipped, and tasks for it."""
    folder = session_folder / "toy"
    small = {
        name: value * np.float32(0.1 if name.endswith(("kernel", "embeddings")) else 1)
        for name, value in weights(CALM, seed=2).items()
    }
    model = write_google(folder / "small", small, config=CALM)
    words = (*MARKS, *(f"w{number}" for number in range(len(MARKS), CALM["vocab_size"])))
    (model / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    write_task(folder / "task", model / "vocab.txt")
    write_task(folder / "three", model / "vocab.txt", labels=3)
    write_task(folder / "long", model / "vocab.txt", length=200)
    write_task(folder / "scores", model / "vocab.txt", regression=True)
    write_squad(folder / "squad", model / "vocab.txt")
    (folder / "other.txt").write_text("other\n")
    write_task(folder / "foreign", folder / "other.txt")
    return folder


@pytest.fixture(scope="module")
def trained(bertbuild, toy, request):
    """What was trained, by name: the folder in out/; then what was made of it."""
    assert bertbuild.artifacts.is_dir()
    small, task = ("--checkpoint", toy / "small"), ("--prepared", toy / "task")
    spans = ("--prepared", toy / "squad", "--predict_file", toy / "squad" / "spans.json", *SQUAD)
    begun = {
        "alone": (*small, *task, *FEW),
        "bucketed": (*small, *task, *FEW, "--bucket-by-length"),
        "mirrored": (*small, *task, *FEW, "--distribution_strategy", "mirrored", "--virtual_cpus", 2),
        "scores": (*small, "--prepared", toy / "scores", *FAST, "--num_train_epochs", 1),
        "spans": (*small, *spans, "--mode", "train_and_eval"),
    }
    if WHOLE:
        hub = request.getfixturevalue("converted").path("bare", "hub")
        begun["hub"] = ("--hub_module_url", hub, *_files(toy), *FAST, "--num_train_epochs", 1)
    made = {
        "predicted": ("alone", *task, "--mode", "predict", "--eval_batch_size", 5),
        "predicted-scores": ("scores", "--prepared", toy / "scores", "--mode", "predict"),
        "exported": ("spans", "--prepared", toy / "squad", "--mode", "export_only"),
    }

    begun = cells(begun, "alone", "spans")
    made = cells(made, "predicted", "exported")

    def run(name, *words):
        return bertbuild.ok("train", "--name", f"toy-{name}", *words)

    calls = [(name, *words) for name, words in begun.items()]
    outcomes = dict(zip(begun, tf2_models.together(run, calls), strict=True))
    calls = [(name, "--model_dir", outcomes[of].last["path"], *words) for name, (of, *words) in made.items()]
    return outcomes | dict(zip(made, tf2_models.together(run, calls), strict=True))


def _files(toy):
    """The Model Garden's own flags for data."""
    task = toy / "task"
    return (
        "--train_data_path",
        task / "train.tf_record",
        "--eval_data_path",
        task / "eval.tf_record",
        "--input_meta_data_path",
        task / "meta_data.json",
    )


def folder(outcome):
    return Path(outcome.last["path"])


def read(path):
    return json.loads(path.read_text())


def history(outcome):
    return read(folder(outcome) / "history.json")


def results(outcome):
    lines = (folder(outcome) / "eval_results.txt").read_text().splitlines()
    return {name: float(value) for name, value in (line.split(" = ") for line in lines)}


def test_a_training_learns_and_tells_how_it_went(trained):
    told = history(trained["alone"])
    assert told["step"] == list(range(1, STEPS + 1))
    assert told["loss"][0] > 0.6
    assert told["loss"][-1] < (0.3 if WHOLE else told["loss"][0])
    assert 2.5e-3 < max(told["learning_rate"]) <= 3.001e-3
    assert results(trained["alone"])["eval_accuracy"] == 1 or not WHOLE
    assert results(trained["alone"])["global_step"] == STEPS
    learnt = trained["alone"].last["learnt"]
    assert (learnt["metric"], learnt["of"]) == ("eval_accuracy", "the majority class")
    assert learnt["value"] == pytest.approx(results(trained["alone"])["eval_accuracy"])
    assert learnt["learnt"] or not WHOLE
    events = trained["alone"].of("training")
    assert events[-1]["step"] == events[-1]["steps"] == STEPS
    assert "all 39 variables of the encoder are the source's" in trained["alone"].notes
    made = {path.name for path in folder(trained["alone"]).iterdir()}
    assert made >= {
        "training.svg",
        "bert_config.json",
        "vocab.txt",
        "task.json",
        "signature.json",
        "events",
        "checkpoint",
    }


@pytest.mark.whole
def test_two_devices_learn_what_one_learns_with_the_same_batches(trained):
    """Until a gradient is clipped: the Model Garden clips each device's share of it."""
    alone, both = history(trained["alone"]), history(trained["mirrored"])
    assert both["step"] == alone["step"]
    assert np.allclose(both["loss"][:8], alone["loss"][:8], rtol=1e-5)
    for epoch in ("1", "2"):
        assert both["epochs"][epoch] == pytest.approx(alone["epochs"][epoch], rel=1e-5)
    assert both["loss"][-1] < (0.3 if WHOLE else both["loss"][0])


@pytest.mark.whole
def test_batches_of_rows_of_like_length_are_trained_on(trained):
    """The rows, whose masks end at places of chance, are the same; their batches and the losses are others."""
    usual, bucketed = history(trained["alone"]), history(trained["bucketed"])
    assert bucketed["step"] == usual["step"]
    assert bucketed["loss"][-1] < 0.3
    assert not np.allclose(bucketed["loss"], usual["loss"], rtol=1e-5)
    assert results(trained["bucketed"])["eval_accuracy"] == 1


def test_what_is_trained_goes_back_to_tensorflow_1_and_answers_the_same(trained, bertbuild, toy):
    """The gate of convert-tf1 compares probabilities; those of the Model Garden's own `predict` are compared here."""
    back = bertbuild.ok("convert-tf1", "--tf2", folder(trained["alone"]), "--name", "toy-back")
    assert back.verdict("tf1-checkpoint")["passed"]
    model = NumpyBert(tf2_models.tensors(back.last["path"]), heads=CALM["num_attention_heads"], activation="erf")
    expected = model.answer(arrays(toy / "task" / "test.npz"))["probabilities"]
    rows = np.loadtxt(folder(trained["predicted"]) / "test_results.tsv")
    assert rows.shape == (12, 2)
    assert np.abs(rows - expected).max() < 1e-5


@pytest.mark.whole
def test_a_regression_predicts_numbers(trained):
    assert results(trained["scores"])["eval_mean_squared_error"] > 0
    learnt = trained["scores"].last["learnt"]
    assert (learnt["metric"], learnt["of"]) == ("eval_mean_squared_error", "the mean score")
    rows = np.loadtxt(folder(trained["predicted-scores"]) / "test_results.tsv")
    assert rows.shape == (12,)
    assert len(set(rows)) > 6
    assert read(folder(trained["scores"]) / "task.json")["labels"] == []


def test_squad_is_trained_answered_judged_and_exported(trained):
    assert set(read(folder(trained["spans"]) / "predictions.json")) == {"7"}
    assert set(results(trained["spans"])) == {"exact_match", "f1"}
    learnt = trained["spans"].last["learnt"]
    assert (learnt["metric"], learnt["value"]) == ("f1", pytest.approx(results(trained["spans"])["f1"]))
    assert history(trained["spans"])["step"] == [1, 2]
    assert (folder(trained["exported"]) / "saved_model.pb").exists()
    reader = CheckpointReader(folder(trained["spans"]) / "bert_model.ckpt")
    assert "cls/squad/output_weights" in {found.place.source for found in recover(reader, config_from(CALM, name=""))}


@pytest.mark.whole
def test_a_training_from_a_hub_module_leaves_a_checkpoint_like_any_other(trained, converted):
    learnt = tf2_models.tensors(folder(trained["hub"]) / "bert_model.ckpt")
    source = tf2_models.tensors(converted.sources["bare"] / "bert_model.ckpt")["bert/embeddings/word_embeddings"]
    ending = "model/layer_with_weights-0/layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"
    distance = np.abs(learnt[ending] - source)
    assert 0 < distance.max() < 0.05
    assert read(folder(trained["hub"]) / "signature.json") == {"gelu": "erf"}


@pytest.mark.whole
def test_a_killed_training_is_gone_on_with(trained, fresh, toy):
    """The host and all it started are killed, most likely in mid-epoch; the same command does the steps left."""
    assert trained
    words = ("train", "--checkpoint", toy / "small", "--prepared", toy / "task", *FAST[2:])
    words += ("--train_batch_size", 2, "--num_train_epochs", 60, "--save_checkpoints_steps", 5)
    process = fresh.start(*words)
    seen = events_until(process, lambda event: event["event"] == "training" and 25 < event["step"] < 900)
    assert seen is not None
    process.kill()
    process.communicate()
    assert left_after(10, fresh.artifacts) == []
    again = fresh.ok(*words)
    (note,) = [text for text in again.notes if text.startswith("going on")]
    begun = int(note.split()[4])
    assert 20 <= begun < 960
    assert again.of("training")[0]["step"] == begun + 1
    told = history(again)
    assert told["step"] == list(range(1, 961))
    assert max(map(int, told["epochs"])) == 60
    assert told["resumed"] == [begun]
    assert told["loss"][-1] < 0.1
    assert not list((fresh.artifacts / "unfinished").glob("*/*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prepared", "foreign"), "another vocabulary"),
        (("--prepared", "long"), "position table of 160"),
        (("--prepared", "task", "--train_batch_size", 64), "do not fill one batch of 64"),
        (("--prepared", "task", "--mode", "train_and_predict"), "is a mode of SQuAD"),
        (("--prepared", "squad", "--predict_batch_size", 3), "give its JSON by --predict-file"),
        (
            ("--prepared", "task", "--train_batch_size", 9, "--distribution_strategy", "mirrored", "--virtual_cpus", 2),
            "cannot be divided between 2 devices",
        ),
        (("--prepared", "task", "--distribution_strategy", "tpu"), "no TPU in this machine"),
    ],
)
def test_what_does_not_go_together_is_told_in_a_sentence(trained, bertbuild, toy, words, said):
    assert trained
    words = [str(toy / word) if (toy / str(word)).is_dir() else word for word in words]
    assert said in bertbuild.refused("train", "--checkpoint", toy / "small", *words, code=13)["message"]


def test_a_model_of_another_task_is_told(trained, bertbuild, toy):
    words = ("--model_dir", folder(trained["alone"]), "--mode", "predict", "--prepared", toy / "three")
    assert "2 classes apart, and the data have 3" in bertbuild.refused("train", *words, code=13)["message"]


@pytest.mark.whole
def test_a_model_of_another_form_is_told(bertbuild, toy, converted, tmp_path):
    def refused(*words):
        return bertbuild.refused("train", *words, code=13)["message"]

    names = converted.folder("wide", "keras-names")
    assert "convert-tf2 --format keras-bert" in refused("--init_checkpoint", names, *_files(toy))
    config = tmp_path / "bert_config.json"
    config.write_text(json.dumps({**CALM, "num_hidden_layers": 3}))
    encoder = ("--init_checkpoint", converted.path("sharded", "encoder"), "--bert_config_file", config)
    assert "no BertEncoder of 3 layers" in refused(*encoder, *_files(toy))
