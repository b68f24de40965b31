from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tf2_models
from matrix import cells
from numpy_bert import NumpyBert
from program import arrays
from tf2_models import FORTH, WIDE
from tiny_models import CONFIG, write_vocab

from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.model_garden import keras_name
from bertbuild.checkpoint.training import sort_variables
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.gate.parity import ALONE
from bertbuild.graph.gelu import gelu_form
from bertbuild.graph.graphdef import read_meta_graph
from bertbuild.graph.published import published_form

KEPT = {
    "keras-bert": ("output_", "cls/squad/"),
    "pretrainer": ("cls/predictions/", "cls/seq_relationship/"),
    "keras-names": ("output_", "cls/"),
    "savedmodel": ("output_",),
}
"""Format → how the variables of the heads begin that it keeps; every format keeps the encoder."""
HIDDEN = {"pooled_output", "sequence_output"}
CLASSES = {"logits", "probabilities"}
OF_PRETRAINING = HIDDEN | {"masked_lm_logits", "next_sentence_logits"}
ANSWERS = {
    ("tiny", "keras-bert"): HIDDEN | CLASSES,
    ("tiny", "savedmodel"): CLASSES,
    ("spans", "keras-bert"): HIDDEN | {"start_logits", "end_logits"},
    ("wide", "pretrainer"): OF_PRETRAINING,
    ("wide", "keras-names"): OF_PRETRAINING,
    "first converter": OF_PRETRAINING,
    "finetuned": HIDDEN | CLASSES,
}
"""What the gate compares, where that is not the encoder's alone."""
BACK = cells(FORTH, ("tiny", "keras-bert"), ("wide", "pretrainer"))


@pytest.fixture(scope="module")
def back(converted, bertbuild, garden, tmp_path_factory):
    """Outcomes of the way back: by (model, format), and of what the Model Garden saved, by folder."""
    own = Path(garden["folder"])
    config = converted.sources["tiny"] / "bert_config.json"
    names = first_converter(converted, tmp_path_factory.mktemp("names"))
    calls = {(model, format_): ("--tf2", converted.folder(model, format_)) for model, format_ in BACK}
    calls |= {
        "finetuned": ("--tf2", own / "finetuned", "--config", config, "--vocab", own / "vocab.txt"),
        "first converter": ("--tf2", names, "--gelu", "erf"),
        "encoder": ("--tf2", own / "encoder" / "ckpt-1", "--config", config),
    }
    calls = cells(calls, *BACK, "finetuned", "first converter")

    def convert(key):
        name = key if isinstance(key, str) else "-".join(key)
        return bertbuild.ok("convert-tf1", *calls[key], "--name", "back-" + name.replace(" ", "-"))

    return dict(zip(calls, tf2_models.together(convert, [(key,) for key in calls]), strict=True))


def first_converter(converted, folder):
    """A checkpoint as the first converter of the Model Garden left it, slots and counter in it, and no table beside."""
    source = tf2_models.tensors(converted.sources["wide"] / "bert_model.ckpt")
    write_checkpoint(folder / "model.ckpt", {keras_name(name): value for name, value in source.items()})
    shutil.copyfile(converted.sources["wide"] / "bert_config.json", folder / "bert_config.json")
    write_vocab(folder, WIDE)
    return folder


def prefix_of(outcome):
    return Path(outcome.last["path"])


def files_of(prefix):
    return {path.name.removeprefix(prefix.name): path.read_bytes() for path in prefix.parent.glob(f"{prefix.name}.*")}


@pytest.mark.parametrize("key", [*BACK, ("wide", "first converter")], ids="-".join)
def test_the_way_back_ends_with_the_bytes_of_the_source(converted, back, tmp_path, key):
    model, format_ = key
    source = tf2_models.tensors(converted.sources[model] / "bert_model.ckpt")
    wanted = ("bert/", *KEPT.get(format_, ("cls/",) if format_ == "first converter" else ()))
    kept = {name: source[name] for name in sort_variables(source).model if name.startswith(wanted)}
    write_checkpoint(tmp_path / "bert_model.ckpt", kept)
    made = files_of(prefix_of(back[format_ if format_ == "first converter" else key]))
    assert made.keys() == {".index", ".data-00000-of-00001", ".meta"}
    expected = files_of(tmp_path / "bert_model.ckpt")
    assert made[".data-00000-of-00001"] == expected[".data-00000-of-00001"]
    assert made[".index"] == expected[".index"]


@pytest.mark.parametrize("model", cells(("tiny", "spans"), "tiny"))
def test_a_fine_tuned_model_goes_there_and_back_file_by_file(converted, back, model):
    made = files_of(prefix_of(back[model, "keras-bert"]))
    source = files_of(converted.sources[model] / "bert_model.ckpt")
    assert {name: made[name] for name in source} == source
    folder = prefix_of(back[model, "keras-bert"]).parent
    for name in ("vocab.txt", "bert_config.json"):
        assert (folder / name).read_bytes() == (converted.sources[model] / name).read_bytes()


def test_every_way_back_passes_the_gate(back):
    for key, outcome in back.items():
        verdict = outcome.verdict("tf1-checkpoint")
        assert verdict["passed"], key
        assert max(row["max_abs"] for row in verdict["rows"]) < 1e-5, key
        assert {row["output"] for row in verdict["rows"] if not row["probe"].endswith(ALONE)} == ANSWERS.get(
            key, HIDDEN
        ), key


def test_the_meta_is_of_the_published_form_and_computes_the_gelu_that_travelled(back):
    for key, outcome in back.items():
        graph = read_meta_graph(prefix_of(outcome).with_name("bert_model.ckpt.meta"))
        assert published_form(graph) is not None, key
        assert gelu_form(graph) == ("tanh" if key in ("finetuned", "encoder") else "erf"), key


def test_a_checkpoint_that_came_back_is_built_from_as_published_ones_are(back, bertbuild):
    prefix = prefix_of(back["tiny", "keras-bert"])
    assert bertbuild.ok("inspect", "--checkpoint", prefix.parent).last["inspection"]["warnings"] == []
    built = bertbuild.ok("build-ir", "--checkpoint", prefix.parent, "--name", "came-back", "--route", "static")
    assert built.verdict(built.last["targets"][0]["target"])["passed"]


def test_a_classifier_that_the_model_garden_trained_comes_back_with_its_head_and_its_answers(back, garden):
    own = Path(garden["folder"])
    tensors = tf2_models.tensors(prefix_of(back["finetuned"]))
    assert tensors.keys() == {
        *encoder_variables(read_config(prefix_of(back["finetuned"]).parent / "bert_config.json")),
        "output_weights",
        "output_bias",
    }
    model = NumpyBert(tensors, heads=CONFIG["num_attention_heads"], activation="tanh")
    found = model.answer(arrays(own / "eval.npz"))["probabilities"]
    assert np.abs(found - arrays(own / "answers.npz")["probabilities"]).max() < 1e-5
    step_1 = tf2_models.tensors(own / "finetuned" / "ckpt-1")
    head = "model/layer_with_weights-1/out_proj/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    assert not np.array_equal(tensors["output_weights"].T, step_1[head]), "the newest of two is taken"


@pytest.mark.whole
def test_an_encoder_that_tensorflow_saved_is_found_by_its_prefix(back, garden):
    tensors = tf2_models.tensors(prefix_of(back["encoder"]))
    saved = tf2_models.tensors(Path(garden["folder"]) / "encoder" / "ckpt-1")
    key = "encoder/layer_with_weights-4/_attention_layer/_query_dense/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    assert np.array_equal(tensors["bert/encoder/layer_0/attention/self/query/kernel"].reshape(32, 4, 8), saved[key])
    assert len(tensors) == 39


@pytest.mark.whole
def test_the_gelu_travels_with_a_checkpoint_that_was_copied_under_another_name(converted, bertbuild, tmp_path):
    forth = ("convert-tf2", "--checkpoint", converted.sources["bare"], "--gelu", "tanh")
    bertbuild.ok(*forth, "--checkpoint_to_path", tmp_path / "there" / "named.ckpt")
    assert json.loads((tmp_path / "there" / "mapping.json").read_text())["gelu"] == "tanh"
    bertbuild.ok("convert-tf1", "--tf2", tmp_path / "there", "--checkpoint_to_path", tmp_path / "back" / "other.ckpt")
    assert gelu_form(read_meta_graph(tmp_path / "back" / "other.ckpt.meta")) == "tanh"
    source = converted.sources["bare"] / "bert_model.ckpt"
    made = files_of(tmp_path / "back" / "other.ckpt")
    assert {name: made[name] for name in files_of(source)} == files_of(source)


@pytest.mark.whole
def test_a_genuine_checkpoint_goes_through_the_pretrainer_and_back(bertbuild, pretraining, tmp_path):
    outcome = bertbuild.ok("convert-tf2", "--checkpoint", pretraining, "--name", "genuine", "--format", "pretrainer")
    folder = Path(outcome.last["path"]).parent
    table = json.loads((folder / "mapping.json").read_text())
    assert {row["reason"] for row in table["left_out"]} == {
        "optimizer slot adam_m",
        "optimizer slot adam_v",
        "counter of the training",
    }
    back = bertbuild.ok("convert-tf1", "--tf2", folder, "--name", "genuine-back")
    source = tf2_models.tensors(pretraining / "bert_model.ckpt")
    kept = {name: source[name] for name in sort_variables(source).model}
    assert {"cls/predictions/output_bias", "cls/seq_relationship/output_weights"} < kept.keys()
    write_checkpoint(tmp_path / "bert_model.ckpt", kept)
    made = files_of(prefix_of(back))
    assert {name: made[name] for name in files_of(tmp_path / "bert_model.ckpt")} == files_of(
        tmp_path / "bert_model.ckpt"
    )


def altered_folder(converted, tmp_path, **values):
    """A converted checkpoint beside another bert_config.json."""
    folder = shutil.copytree(converted.folder("sharded", "encoder"), tmp_path / "altered")
    (folder / "bert_config.json").write_text(json.dumps({**CONFIG, **values}))
    return folder


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"num_hidden_layers": 1}, "which a BERT of 1 layer has not"),
        ({"num_hidden_layers": 3}, "has no BertEncoder of 3 layers below its objects encoder, model, save_counter"),
        ({"num_attention_heads": 8}, "the configuration asks for"),
        ({"vocab_size": 61}, "has shape [60, 32]; the configuration asks for [61, 32]"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_before_anything_is_made(converted, fresh, tmp_path, values, told):
    error = fresh.refused("convert-tf1", "--tf2", altered_folder(converted, tmp_path, **values), code=4)
    assert told in error["message"]
    assert error["next_step"]
    assert not list(fresh.artifacts.glob("objects/convert-tf1/*"))


def test_what_is_no_model_of_tensorflow_2_is_refused(converted, fresh, tmp_path):
    tiny = converted.sources["tiny"]
    assert "is a TensorFlow 1 checkpoint already" in fresh.refused("convert-tf1", "--tf2", tiny, code=4)["message"]
    assert "is not a folder" in fresh.refused("convert-tf1", "--tf2", tmp_path / "gone", code=4)["message"]
    (tmp_path / "empty").mkdir()
    shutil.copyfile(tiny / "bert_config.json", tmp_path / "empty" / "bert_config.json")
    assert "holds no checkpoint" in fresh.refused("convert-tf1", "--tf2", tmp_path / "empty", code=4)["message"]


def test_a_damaged_object_graph_is_told_before_anything_is_made(converted, fresh, tmp_path):
    folder = shutil.copytree(converted.folder("sharded", "encoder"), tmp_path / "damaged")
    data = folder / "bert_model.ckpt.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[200] ^= 1  # the object graph comes first
    data.write_bytes(content)
    told = fresh.refused("convert-tf1", "--tf2", folder, code=4)["message"]
    assert "The string _CHECKPOINTABLE_OBJECT_GRAPH" in told
    assert told.endswith("is damaged.")
