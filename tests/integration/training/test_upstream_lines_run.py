"""Upstream's own command lines, run to their end on a tiny model."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from prepared_data import write_special_vocab
from tiny_models import weights, write_google

pytestmark = pytest.mark.integration

WORDS = ("w10", "w11", "w12", "w13", "w14", "w15")
EXAMPLES = {"train": 16, "dev": 6, "test": 5}


def write_mrpc(folder):
    """Files of MRPC's form: whether two sentences are the same."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(5)
    for split, count in EXAMPLES.items():
        rows = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
        for index in range(count):
            one, other = (" ".join(chance.choice(WORDS, size=4)) for _ in range(2))
            rows.append(f"{index % 2}\t{index}\t{index}\t{one}\t{one if index % 2 else other}")
        (folder / f"{split}.tsv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def place(session_folder):
    """The folders that the lines name: $BERT_BASE_DIR and $GLUE_DIR."""
    folder = session_folder / "upstream"
    write_google(folder / "base", weights(seed=6))
    write_special_vocab(folder / "base")
    write_mrpc(folder / "glue" / "MRPC")
    return folder


def line(place, *more, checkpoint="base/bert_model.ckpt", out="trained"):
    return (
        "finetune",
        "--task_name=MRPC",
        *more,
        f"--data_dir={place}/glue/MRPC",
        f"--vocab_file={place}/base/vocab.txt",
        f"--bert_config_file={place}/base/bert_config.json",
        f"--init_checkpoint={place}/{checkpoint}",
        "--max_seq_length=16",
        f"--output_dir={place}/{out}",
    )


@pytest.fixture(scope="module")
def tuned(bertbuild, place):
    """tune_save.sh's first call."""
    flags = ("--train_batch_size=8", "--learning_rate=2e-5", "--num_train_epochs=1.0")
    return bertbuild.ok(*line(place, "--do_train=true", "--do_eval=true", "--do_predict=true"), *flags)


def test_tune_save_trains_and_predicts_and_then_predicts_once_more(bertbuild, place, tuned):
    assert tuned.last["path"] == str(place / "trained")
    assert "eval_accuracy" in (place / "trained" / "eval_results.txt").read_text()
    rows = np.loadtxt(place / "trained" / "test_results.tsv")
    assert rows.shape == (EXAMPLES["test"], 2)
    (place / "trained" / "test_results.tsv").unlink()
    index = (place / "trained" / "bert_model.ckpt.index").read_bytes()

    again = bertbuild.ok(*line(place, "--do_predict=true"))
    assert f"the checkpoint in --output-dir {place}/trained is taken, as run_classifier and run_squad do" in again.notes
    np.testing.assert_allclose(np.loadtxt(place / "trained" / "test_results.tsv"), rows, atol=1e-6)
    assert (place / "trained" / "bert_model.ckpt.index").read_bytes() == index


@pytest.mark.whole
def test_a_checkpoint_as_run_classifier_leaves_it_predicts_with_files_that_lie_elsewhere(bertbuild, place, tuned):
    assert tuned.code == 0
    (place / "theirs").mkdir()
    for path in (place / "trained").glob("bert_model.ckpt.*"):
        shutil.copyfile(path, place / "theirs" / path.name.replace("bert_model.ckpt", "model.ckpt-343"))
    words = line(place, "--do_predict=true", checkpoint="theirs/model.ckpt-343", out="predicted")
    predicted = bertbuild.ok(*words, "--name=theirs")
    rows = np.loadtxt(place / "predicted" / "test_results.tsv")
    np.testing.assert_allclose(rows, np.loadtxt(place / "trained" / "test_results.tsv"), atol=1e-6)
    assert predicted.last["model"] == "theirs"


def test_the_openvino_pages_line_is_told_what_it_is_for(bertbuild, place):
    error = bertbuild.refused(*line(place, "--do_eval=true", out="."), code=4)
    assert "has no head to evaluate or predict MRPC with" in error["message"]
    assert "bertbuild freeze" in error["next_step"]
