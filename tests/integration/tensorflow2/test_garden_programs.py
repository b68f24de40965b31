"""The Model Garden's own programs, given what convert-tf2 made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tf2_models
from backends import python
from numpy_bert import NumpyBert
from program import arrays
from tiny_models import CONFIG

pytestmark = pytest.mark.whole

ON_CPU = ("--distribution_strategy=one_device", "--num_gpus=0", "--steps_per_loop=1")


@pytest.fixture(scope="module")
def ended(converted, garden, tmp_path_factory):
    """Folders that the programs wrote to, by what was done; each ended well."""
    own, out = Path(garden["folder"]), tmp_path_factory.mktemp("programs")
    classifier = (
        f"--input_meta_data_path={own}/classifier.json",
        f"--train_data_path={own}/train.tf_record",
        f"--eval_data_path={own}/eval.tf_record",
        "--train_batch_size=4",
        "--eval_batch_size=3",
        "--num_train_epochs=1",
    )
    squad = (
        f"--input_meta_data_path={own}/squad.json",
        f"--vocab_file={own}/vocab.txt",
        f"--predict_file={own}/spans.json",
        f"--train_data_path={own}/spans.tf_record",
        "--predict_batch_size=4",
        "--train_batch_size=2",
        "--num_train_epochs=1",
    )
    encoder = f"--init_checkpoint={converted.path('sharded', 'encoder')}"
    calls = {
        "predict": ("run_classifier", "predict", "tiny", "keras-bert", classifier),
        "train": ("run_classifier", "train_and_eval", "sharded", "encoder", (*classifier, encoder)),
        "hub": (
            "run_classifier",
            "train_and_eval",
            "bare",
            "hub",
            (*classifier, f"--hub_module_url={converted.path('bare', 'hub')}"),
        ),
        "squad-train": ("run_squad", "train", "sharded", "encoder", (*squad, encoder)),
        "squad-predict": ("run_squad", "predict", "spans", "keras-bert", squad),
    }

    def run(name):
        program, mode, model, format_, flags = calls[name]
        folder = out / name
        folder.mkdir()
        if "predict" in mode:  # it takes the latest checkpoint of its folder
            for path in converted.folder(model, format_).iterdir():
                if path.name.startswith(("bert_model.ckpt", "checkpoint")):
                    shutil.copyfile(path, folder / path.name)
        config = converted.folder(model, format_) / "bert_config.json"
        words = ("-m", f"official.legacy.bert.{program}", f"--mode={mode}", f"--bert_config_file={config}")
        done = subprocess.run(
            [str(python("tf2")), *words, f"--model_dir={folder}", *ON_CPU, *flags],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=folder,
            env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return folder

    return dict(zip(calls, tf2_models.together(run, [(name,) for name in calls]), strict=True))


def test_run_classifier_predicts_with_a_converted_classifier_what_bert_answers(ended, converted, garden):
    written = np.loadtxt(ended["predict"] / "test_results.tsv")
    source = tf2_models.tensors(converted.sources["tiny"] / "bert_model.ckpt")
    model = NumpyBert(source, heads=CONFIG["num_attention_heads"], activation="tanh")  # the Model Garden's own gelu
    expected = model.answer(arrays(Path(garden["folder"]) / "eval.npz"))["probabilities"]
    assert written.shape == (6, 3)
    assert np.abs(written - expected).max() < 1e-5


@pytest.mark.parametrize("name", ["train", "squad-train"])
def test_training_starts_from_a_converted_encoder(ended, converted, name):
    """Two steps at a small learning rate: what was trained is still near what it began with."""
    (index,) = ended[name].glob("*.index")
    assert index.name == ("ckpt-2.index" if name == "train" else "ctl_step_2.ckpt-1.index")
    trained = tf2_models.tensors(index.with_suffix(""))
    begun = tf2_models.tensors(converted.path("sharded", "encoder"))
    ending = "layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"
    (key,) = [key for key in trained if key.startswith("model/") and key.endswith("layer_with_weights-0/" + ending)]
    distance = np.abs(trained[key] - begun["encoder/" + ending])
    assert 0 < distance.max() < 1e-3 < np.abs(begun["encoder/" + ending]).mean()


def test_training_starts_from_a_hub_module(ended, converted):
    (index,) = ended["hub"].glob("ckpt-2.index")
    trained = tf2_models.tensors(index.with_suffix(""))
    source = tf2_models.tensors(converted.sources["bare"] / "bert_model.ckpt")["bert/embeddings/word_embeddings"]
    tables = [value for name, value in trained.items() if value.shape == source.shape and "OPTIMIZER" not in name]
    assert any(0 < np.abs(table - source).max() < 1e-3 for table in tables)


def test_run_squad_predicts_with_a_converted_span_labeler(ended):
    predictions = json.loads((ended["squad-predict"] / "predictions.json").read_text())
    assert set(predictions) == {"q1"}
    (nbest,) = json.loads((ended["squad-predict"] / "nbest_predictions.json").read_text()).values()
    assert nbest[0]["text"] == predictions["q1"]
    assert sum(row["probability"] for row in nbest) == pytest.approx(1)
