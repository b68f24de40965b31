from __future__ import annotations

import hashlib
import json
import math
import shutil

import numpy as np
import pytest
import tf2_models
from backends import run as run_script
from matrix import cells
from numpy_bert import NumpyBert
from program import arrays
from tf2_models import FORTH
from tiny_models import CONFIG, weights, write_google

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import read_config
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.layouts import layout
from bertbuild.checkpoint.model_garden import encoder_places
from bertbuild.heads.named import heads_named

CHECKPOINTS = [pytest.param(*pair, id="-".join(pair)) for pair in FORTH if pair[1] not in ("savedmodel", "hub")]
RESTORED = {
    "encoder-model": ("sharded", "encoder", "encoder", ["model"]),
    "encoder-encoder": ("sharded", "encoder", "encoder", ["encoder"]),
    "encoder-both": ("sharded", "encoder", "encoder", ["encoder", "model"]),
    "wide-encoder": ("wide", "encoder", "encoder", ["encoder"]),
    "v2-model": ("sharded", "encoder", "encoder_v2", ["model"]),
    "v2-encoder": ("sharded", "encoder", "encoder_v2", ["encoder"]),
    "wide-v2": ("wide", "encoder", "encoder_v2", ["model"]),
    "classifier": ("tiny", "keras-bert", "classifier", ["model"]),
    "classifier-encoder": ("tiny", "keras-bert", "encoder_v2", ["encoder"]),
    "squad": ("spans", "keras-bert", "squad", ["model"]),
    "pretrainer": ("wide", "pretrainer", "pretrainer", ["model"]),
}
RESTORED = cells(RESTORED, "encoder-both", "v2-encoder", "classifier", "pretrainer")
ALIKE = {"v2-model": "encoder-model", "v2-encoder": "encoder-both", "wide-v2": "wide-encoder"}
ALIKE = cells(ALIKE, "v2-encoder")
SAVED = {"tiny": {"probabilities": ["float32", [None, 3]]}}
SAVED["bare"] = {"pooled_output": ["float32", [None, 32]], "sequence_output": ["float32", [None, None, 32]]}
SAVED = cells(SAVED, "tiny")
"""Model → the outputs of its SavedModel."""
HIDDEN = {"pooled_output", "sequence_output"}
CLASSES = {"logits", "probabilities"}
ANSWERS = {
    ("tiny", "keras-bert"): HIDDEN | CLASSES,
    ("tiny", "savedmodel"): CLASSES,
    ("spans", "keras-bert"): HIDDEN | {"start_logits", "end_logits"},
    ("wide", "pretrainer"): HIDDEN | {"masked_lm_logits", "next_sentence_logits"},
    ("wide", "keras-names"): HIDDEN | {"masked_lm_logits", "next_sentence_logits"},
}
"""Model and format → what the gate compares, where that is not the encoder's alone."""
OTHER = "restored into the same model with gelu by"
ROLES = ("input_ids", "input_mask", "segment_ids")
SHAPES = [[1, 7], [3, 40]]


@pytest.fixture(scope="module")
def restored(converted, tmp_path_factory):
    """Variables and answers of models that TensorFlow restored in a process of its own, by the names of RESTORED."""
    out = tmp_path_factory.mktemp("restored")
    wanted = [
        {
            "name": name,
            "prefix": converted.path(model, format_),
            "config": converted.folder(model, format_) / "bert_config.json",
            "kind": kind,
            "roots": roots,
        }
        for name, (model, format_, kind, roots) in RESTORED.items()
    ]
    assert run_script("tf2", "tf2_restore", out=out, checkpoints=wanted) == {"restored": len(RESTORED)}
    return {name: arrays(out / f"{name}.npz") for name in RESTORED}


@pytest.fixture(scope="module")
def saved(converted, tmp_path_factory):
    """What TensorFlow tells of the SavedModels and the hub module, and the folder of their answers."""
    out = tmp_path_factory.mktemp("saved")
    folders = {model: converted.path(model, "savedmodel") for model in SAVED}
    facts = run_script("tf2", "tf2_saved", out=out, saved=folders, hub=converted.path("bare", "hub"), shapes=SHAPES)
    return facts, out


@pytest.mark.parametrize(("model", "format_"), FORTH)
def test_every_format_passes_the_gate(converted, model, format_):
    outcome = converted.outcomes[model, format_]
    verdict = outcome.verdict(f"tf2-{format_}")
    assert verdict["passed"]
    assert {row["output"] for row in verdict["rows"]} == ANSWERS.get((model, format_), HIDDEN)
    assert max(row["max_abs"] for row in verdict["rows"]) < 1e-5


def test_the_other_form_of_gelu_is_asked_in_the_same_process_and_answers_otherwise(converted):
    told = {pair: [text for text in outcome.notes if OTHER in text] for pair, outcome in converted.outcomes.items()}
    assert any(told.values()), "an own graph tells its form"
    for texts in filter(None, told.values()):
        (text,) = texts
        figures = [float(figure.rpartition(" ")[2]) for figure in text.partition(": ")[2].split(", ")]
        assert max(figures) > 1e-5
    for outcome in converted.outcomes.values():
        assert [step for step in outcome.ids("started") if step.startswith("tf2-infer")] in ([], ["tf2-infer"])


@pytest.mark.parametrize("name", [name for name, row in RESTORED.items() if row[2] == "encoder"])
def test_the_encoder_that_tensorflow_restores_has_the_sources_numbers(converted, restored, name):
    model = RESTORED[name][0]
    source = tf2_models.tensors(converted.sources[model] / "bert_model.ckpt")
    places = list(encoder_places(read_config(converted.sources[model] / "bert_config.json"), "encoder"))
    assert {place.name for place in places} | {"answer_sequence", "answer_pooled"} == restored[name].keys()
    for place in places:
        assert np.array_equal(place.back(restored[name][place.name]), source[place.source]), place.name


@pytest.mark.parametrize(("name", "other"), ALIKE.items())
def test_the_subclassed_encoder_answers_like_the_functional_one(restored, name, other):
    for answer in ("answer_sequence", "answer_pooled"):
        assert np.abs(restored[name][answer] - restored[other][answer]).max() < 1e-5


OF_HEADS = {
    "classifier": ("output_weights", "output_bias"),
    "squad": ("cls/squad/output_weights", "cls/squad/output_bias"),
    "pretrainer": tuple(name for name, _ in (*tf2_models.MASKED_LM, *tf2_models.NEXT_SENTENCE)),
}
OF_HEADS = cells(OF_HEADS, "classifier", "pretrainer")


@pytest.mark.parametrize(("name", "head"), OF_HEADS.items())
def test_the_heads_that_tensorflow_restores_have_the_sources_numbers(converted, restored, name, head):
    source = tf2_models.tensors(converted.sources[RESTORED[name][0]] / "bert_model.ckpt")
    found = {value.tobytes() for value in restored[name].values()}
    for variable in head:
        value = source[variable].T if variable.endswith("output_weights") else source[variable]
        assert np.ascontiguousarray(value).tobytes() in found, variable
    poolers = [
        value
        for name, value in restored[name].items()
        if name.endswith(("pooler_transform/kernel", "pooler_dense/kernel"))
    ]
    assert len(poolers) == (2 if name == "pretrainer" else 1)
    assert all(np.array_equal(pooler, source["bert/pooler/dense/kernel"]) for pooler in poolers)


@pytest.mark.parametrize(("model", "format_"), CHECKPOINTS)
def test_the_table_tells_of_every_variable_what_became_of_it(converted, model, format_):
    prefix = converted.path(model, format_)
    table = json.loads((prefix.parent / "mapping.json").read_text())
    source = tf2_models.tensors(converted.sources[model] / "bert_model.ckpt")
    target = tf2_models.tensors(prefix)
    config = read_config(prefix.parent / "bert_config.json")
    shapes = {name: value.shape for name, value in source.items()}
    places = layout(format_, config, shapes, heads_named(shapes)).places
    assert [row["source"] for row in table["variables"]] == sorted(
        (place.source for place in places), key=[place.source for place in places].index
    )
    assert {row["target"] for row in table["variables"]} == target.keys() - {"save_counter/.ATTRIBUTES/VARIABLE_VALUE"}
    for row in table["variables"]:
        value = target[row["target"]]
        assert hashlib.sha256(value.tobytes()).hexdigest() == row["sha256"]
        assert row["shape"] == list(value.shape)
        assert row["source_shape"] == list(source[row["source"]].shape)
        assert math.prod(row["shape"]) == math.prod(row["source_shape"])
        assert row["change"] in ("as it is", "reshaped", "transposed")
    told = {row["source"] for row in (*table["variables"], *table["left_out"])}
    assert told == source.keys()
    assert all(row["reason"] for row in table["left_out"])
    assert table["format"] == format_


def test_the_table_is_shown_with_what_is_left_out(converted):
    (shown,) = converted.outcomes["wide", "pretrainer"].of("table")
    rows = {row[0]: row for row in shown["rows"]}
    assert shown["columns"] == ["TensorFlow 1", "TensorFlow 2", "shape", "change"]
    assert rows["bert/encoder/layer_1/attention/self/key/kernel"][1:] == [
        "encoder/layer_with_weights-5/_attention_layer/_key_dense/kernel",
        "[384, 12, 32]",
        "reshaped",
    ]
    assert rows["global_step"][1:] == ["left out", "", "counter of the training"]
    assert rows["bert/pooler/dense/bias/adam_v"][3] == "optimizer slot adam_v"
    assert rows["cls/predictions/output_bias"][3] == "as it is"


def test_what_is_printed_is_the_prefix_that_restore_takes(converted):
    for model, format_ in FORTH:
        path = converted.path(model, format_)
        assert (
            converted.outcomes[model, format_]
            .last["lines"][-1]
            .endswith(f"out/{model}/tf2-{format_}" + ("" if path.is_dir() else "/bert_model.ckpt"))
        )
        if not path.is_dir():
            assert path.with_name(path.name + ".index").is_file()
            assert {entry.name for entry in path.parent.glob("bert_model.ckpt*")} == {
                "bert_model.ckpt.index",
                "bert_model.ckpt.data-00000-of-00001",
            }


def test_the_model_gardens_own_converter_gives_the_same_keys_and_bytes(converted, garden):
    ours = CheckpointReader(converted.path("tiny", "keras-bert"))
    theirs = tf2_models.tensors(f"{garden['folder']}/converted/ckpt-1")
    numbers = {name for name, entry in ours.entries.items() if entry.dtype != "string"}
    assert numbers - theirs.keys() == {
        f"model/layer_with_weights-1/out_proj/{name}/.ATTRIBUTES/VARIABLE_VALUE" for name in ("kernel", "bias")
    }
    assert not theirs.keys() - numbers
    for name, value in theirs.items():
        assert ours.tensor(name).dtype == value.dtype
        assert ours.tensor(name).tobytes() == value.tobytes(), name
    assert OBJECT_GRAPH_KEY in ours.entries


def test_the_serving_signature_is_that_of_export(saved):
    facts, _ = saved
    for model, outputs in SAVED.items():
        signature = facts["signatures"][model]
        assert signature["names"] == (["classifier", "serving_default"] if model == "tiny" else ["serving_default"])
        assert signature["inputs"] == {role: ["int32", [None, None]] for role in ROLES}
        assert signature["outputs"] == outputs


@pytest.mark.parametrize("name", [*SAVED, "hub"])
@pytest.mark.parametrize("shape", SHAPES)
def test_saved_models_answer_like_bert_by_the_gelu_of_their_source_for_any_shape(converted, saved, name, shape):
    model = "bare" if name == "hub" else name
    values = arrays(saved[1] / f"{name}_{shape[0]}_{shape[1]}.npz")
    inputs = {role: values.pop(role) for role in ROLES}
    source = tf2_models.tensors(converted.sources[model] / "bert_model.ckpt")
    distances = {}
    for gelu in ("erf", "tanh"):
        expected = NumpyBert(source, heads=CONFIG["num_attention_heads"], activation=gelu).answer(inputs)
        distances[gelu] = max(np.abs(expected[output] - value).max() for output, value in values.items())
    assert distances["erf"] < 1e-5
    assert distances["tanh"] > 1e-5, "the forms are told apart"
    format_ = "hub" if name == "hub" else "savedmodel"
    signature = json.loads((converted.folder(model, format_) / "signature.json").read_text())
    assert signature["gelu"] == "erf"


def test_a_hub_module_is_trainable_and_carries_its_vocabulary(converted, saved):
    facts = saved[0]["hub"]
    assert facts["trainable"] == facts["with_gradient"] == 5 + 16 * CONFIG["num_hidden_layers"] + 2
    assert facts["frozen"] == 0
    assert facts["do_lower_case"] is True
    asset = converted.path("bare", "hub") / "assets" / "vocab.txt"
    assert facts["vocab"].endswith("/vocab.txt")
    assert asset.read_bytes() == (converted.sources["bare"] / "vocab.txt").read_bytes()


def test_a_second_run_makes_nothing(converted, bertbuild):
    again = bertbuild.ok("convert-tf2", "--checkpoint", converted.sources["tiny"], "--format", "savedmodel")
    assert again.ids("started") == []
    assert again.last["path"] == converted.outcomes["tiny", "savedmodel"].last["path"]


def test_a_checkpoint_is_copied_to_where_it_is_wanted_under_another_name(converted, bertbuild, tmp_path):
    prefix = tmp_path / "deep" / "named.ckpt"
    words = ("convert-tf2", "--checkpoint_from_path", converted.sources["tiny"], "--format", "keras-bert")
    outcome = bertbuild.ok(*words, "--checkpoint_to_path", prefix)
    assert outcome.last["path"] == str(prefix)
    assert {path.name for path in prefix.parent.iterdir()} == {
        "named.ckpt.index",
        "named.ckpt.data-00000-of-00001",
        "bert_config.json",
        "vocab.txt",
        "mapping.json",
    }
    made = converted.path("tiny", "keras-bert")
    assert prefix.with_name("named.ckpt.index").read_bytes() == made.with_name(made.name + ".index").read_bytes()
    told = bertbuild.refused(*words, "--checkpoint_to_path", prefix, code=2)
    assert told["message"] == f"There is a checkpoint {prefix} already."


def broken(folder, case):
    """A source that cannot be converted."""
    tensors = weights(seed=2)
    if case == "electra":
        return write_google(folder, {name.replace("bert/", "electra/"): value for name, value in tensors.items()})
    if case == "albert":
        shared = {name.replace("layer_0", "transformer/group_0/inner_group_0/ffn_1"): tensors[name] for name in tensors}
        return write_google(folder, {name: value for name, value in shared.items() if "layer_1" not in name})
    if case == "roberta":  # two positions more than it says, and one type of token
        tensors["bert/embeddings/position_embeddings"] = np.zeros((162, 32), np.float32)
        return write_google(folder, tensors)
    if case == "layers":
        return write_google(folder, tensors, config={**CONFIG, "num_hidden_layers": 1})
    return write_google(folder, tensors, config={**CONFIG, "num_attention_heads": 5})


BROKEN = {
    "electra": "The encoder has 2 variables that ELECTRA does not have: bert/pooler/dense/bias",
    "albert": "bert_config.json has no key embedding_size",
    "roberta": "position_embeddings has shape [162, 32]; the configuration asks for [160, 32]",
    "layers": "The checkpoint has 2 layers, the configuration num_hidden_layers 1",
    "heads": "hidden_size 32, which num_attention_heads 5 does not divide",
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_bert_or_does_not_fit_is_refused_before_anything_is_made(fresh, tmp_path, case):
    told = fresh.refused("convert-tf2", "--checkpoint", broken(tmp_path / "source", case), code=4)
    assert BROKEN[case] in told["message"]
    assert told["next_step"]
    assert not list(fresh.artifacts.glob("objects/convert-tf2/*"))


def test_a_checkpoint_that_is_of_tensorflow_2_already_is_told_so(converted, fresh):
    told = fresh.refused("convert-tf2", "--checkpoint", converted.folder("tiny", "keras-bert"), code=4)
    assert "belongs to an object-based TensorFlow 2 checkpoint" in told["message"]


def test_an_unknown_format_is_refused(bare, fresh):
    told = fresh.refused("convert-tf2", "--checkpoint", bare, "--format", "h5", code=2)
    assert told["message"].startswith("--format must be one of encoder, keras-bert")


def test_a_hub_module_without_vocabulary_is_refused(bertbuild, bare, tmp_path):
    folder = shutil.copytree(bare, tmp_path / "wordless")
    (folder / "vocab.txt").unlink()
    told = bertbuild.refused("convert-tf2", "--checkpoint", folder, "--format", "hub", code=13)
    assert "a hub module carries its vocabulary" in told["message"]


@pytest.mark.whole
def test_minilm_is_converted_and_served(bertbuild, minilm):
    assert minilm.code == 0

    def convert(format_):
        return bertbuild.ok("convert-tf2", "--model", "minilm-l6", "--format", format_)

    calls = [("encoder",), ("savedmodel",)]
    for (format_,), outcome in zip(calls, tf2_models.together(convert, calls), strict=True):
        assert max(row["max_abs"] for row in outcome.verdict(f"tf2-{format_}")["rows"]) < 1e-5
