"""Folders of ALBERTs and ELECTRAs: the names that transformers' classes look for, and the numbers bit for bit."""

from __future__ import annotations

import json

import family_models
import numpy as np
import pytest
from family_models import ALBERT_CONFIG, SIZES, H, values
from tiny_models import write_safetensors

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError
from bertbuild.families.table import family_of
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.huggingface.classes import OF_FAMILY, class_for
from bertbuild.huggingface.exporting import export
from bertbuild.huggingface.importing import import_tensors
from bertbuild.huggingface.safetensors import read_safetensors
from bertbuild.huggingface.settings import settings_from

LAYER = "encoder.albert_layer_groups.0.albert_layers.0"
ALBERT_ENCODER = {
    *(f"embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")),
    *(
        f"{scope}.{last}"
        for scope in (
            "embeddings.LayerNorm",
            "encoder.embedding_hidden_mapping_in",
            *(f"{LAYER}.attention.{part}" for part in ("query", "key", "value", "dense", "LayerNorm")),
            *(f"{LAYER}.{part}" for part in ("ffn", "ffn_output", "full_layer_layer_norm")),
            "pooler",
        )
        for last in ("weight", "bias")
    ),
}
"""The parameters of transformers' AlbertModel."""


def exported(folder, shapes, config, family, kinds=()):
    tensors = values(shapes)
    write_checkpoint(folder / "bert_model.ckpt", tensors)
    heads = [FoundHead(kind, *HEADS[kind].last, labels=0) for kind in kinds]
    read = config_from(config, name="config", family=family)
    out = folder / "out"
    out.mkdir()
    export(folder / "bert_model.ckpt", out, config=read, heads=heads, gelu="tanh", epsilon=1e-12)
    found = {name: stored.read() for name, stored in read_safetensors(out / "model.safetensors").items()}
    return tensors, found, json.loads((out / "config.json").read_text())


def test_an_albert_has_the_names_of_its_class(tmp_path):
    tensors, found, config = exported(tmp_path, family_models.albert_shapes(), ALBERT_CONFIG, "albert")
    assert set(found) == ALBERT_ENCODER
    assert (config["architectures"], config["model_type"]) == (["AlbertModel"], "albert")
    assert (config["embedding_size"], config["hidden_act"]) == (family_models.E, "gelu_new")
    key = tensors[f"{family_models.GROUP}/ffn_1/intermediate/output/dense/kernel"]
    np.testing.assert_array_equal(found[f"{LAYER}.ffn_output.weight"], key.T)
    np.testing.assert_array_equal(
        found[f"{LAYER}.full_layer_layer_norm.weight"], tensors[f"{family_models.GROUP}/LayerNorm_1/gamma"]
    )


def test_an_alberts_heads_of_pretraining_have_the_bias_that_its_class_reads(tmp_path):
    shapes = family_models.albert_shapes() | family_models.masked_lm_shapes()
    tensors, found, config = exported(tmp_path, shapes, ALBERT_CONFIG, "albert", ("masked-lm", "next-sentence"))
    assert config["architectures"] == ["AlbertForPreTraining"]
    heads = {name for name in found if not name.startswith("albert.")}
    assert heads == {
        *(f"predictions.{name}" for name in ("bias", "decoder.bias", "dense.weight", "dense.bias")),
        *("predictions.LayerNorm.weight", "predictions.LayerNorm.bias"),
        *("sop_classifier.classifier.weight", "sop_classifier.classifier.bias"),
    }
    assert found["predictions.decoder.bias"].tobytes() == tensors["cls/predictions/output_bias"].tobytes()


@pytest.mark.parametrize("embedding", [family_models.E, H])
def test_an_electra_has_berts_layers_and_a_projection_where_it_is_narrow(tmp_path, embedding):
    shapes = family_models.electra_shapes(embedding=embedding)
    ours = {name.replace("electra/", "bert/"): shape for name, shape in shapes.items() if name.startswith("electra/")}
    _, found, config = exported(tmp_path, ours, {**SIZES, "embedding_size": embedding}, "electra")
    assert (config["architectures"], config["embedding_size"]) == (["ElectraModel"], embedding)
    assert ("embeddings_project.weight" in found) == (embedding != H)
    assert "encoder.layer.2.intermediate.dense.weight" in found
    assert not any("pooler" in name for name in found)


def test_an_albert_zh_is_written_as_the_bert_it_is_spelt_out(tmp_path):
    tensors, found, config = exported(tmp_path, family_models.albert_zh_shapes(), ALBERT_CONFIG, "albert-zh")
    assert (config["architectures"], config["model_type"]) == (["BertModel"], "bert")
    words = tensors["bert/embeddings/word_embeddings"] @ tensors["bert/embeddings/word_embeddings_2"]
    np.testing.assert_allclose(found["embeddings.word_embeddings.weight"], words, rtol=1e-6)
    queries = [found[f"encoder.layer.{number}.attention.self.query.weight"] for number in range(family_models.LAYERS)]
    assert len({query.tobytes() for query in queries}) == 1


@pytest.mark.parametrize(("family", "kinds"), [("electra", ("classifier",)), ("albert", ("next-sentence",))])
def test_heads_that_a_family_has_no_class_for_are_refused(family, kinds):
    with pytest.raises(CheckpointError, match=f"no class for an {family} with the heads {kinds[0]}"):
        class_for(kinds, family)


FAMILIES = {
    "albert": (family_models.albert_shapes(), {**ALBERT_CONFIG, "model_type": "albert"}),
    "electra": (
        {name.replace("electra/", "bert/"): shape for name, shape in family_models.electra_shapes().items()},
        {**SIZES, "model_type": "electra"},
    ),
}
CLASSES = [(family, kinds) for family in FAMILIES for kinds in OF_FAMILY[family] if kinds != ("multi-label",)]


@pytest.mark.parametrize(("family", "kinds"), CLASSES, ids=str)
def test_there_and_back_is_bit_for_bit(tmp_path, family, kinds):
    shapes, config = FAMILIES[family]
    shapes = {name: shape for name, shape in shapes.items() if name.startswith("bert/")}
    for kind in kinds:
        shapes = shapes | (
            {name: shape for name, shape in family_models.masked_lm_shapes().items() if "predictions" in name}
            if kind == "masked-lm"
            else HEADS[kind].variables(H, family_models.V, 1 if kind == "regression" else 3)
        )
    tensors, _, said = exported(tmp_path, shapes, config, family, kinds)
    settings = settings_from(said, name="config.json")
    back = import_tensors(settings, read_safetensors(tmp_path / "out" / "model.safetensors"))
    assert back.numbers.keys() == tensors.keys()
    for name, value in tensors.items():
        assert back.numbers[name].tobytes() == value.tobytes(), name
    assert (back.left_out, back.notes) == ({}, ())
    assert (settings.family, settings.gelu) == (family, "tanh")
    written = dict(settings.bert_config)
    assert family_of(back.numbers, written).name == family
    assert config_from(written, name="bert_config.json", family=family).gelu == "tanh"
    assert back.head.get("kind", kinds[0] if kinds else None) == (kinds[0] if kinds else None)


@pytest.mark.parametrize("key", ["num_hidden_groups", "inner_group_num"])
def test_an_albert_of_several_groups_is_refused_by_the_key(key):
    values = {"model_type": "albert", **ALBERT_CONFIG, "hidden_act": "gelu_new", key: 2}
    with pytest.raises(CheckpointError, match=f"has {key} 2, and what is computed here is 1"):
        settings_from(values, name="config.json")


def test_what_transformers_takes_where_config_json_does_not_say_is_taken():
    found = settings_from({"model_type": "electra"}, name="config.json").bert_config
    assert (found["embedding_size"], found["hidden_size"], found["num_attention_heads"]) == (128, 256, 4)
    found = settings_from({"architectures": ["AlbertModel"]}, name="config.json")
    assert (found.family, found.gelu, found.bert_config["hidden_size"]) == ("albert", "tanh", 4096)


def test_gelu_alone_is_by_erf_as_transformers_has_it():
    found = settings_from({"model_type": "albert", "hidden_act": "gelu"}, name="config.json").bert_config
    assert config_from(found, name="bert_config.json", family="albert").gelu == "erf"


def test_the_head_of_an_electra_with_a_layer_more_is_left_out_by_name(tmp_path):
    shapes, config = FAMILIES["electra"]
    shapes = {name: shape for name, shape in shapes.items() if name.startswith("bert/")}
    _, found, said = exported(tmp_path, shapes, config, "electra")
    more = {"classifier.dense.weight": np.ones((H, H), np.float32), "classifier.out_proj.weight": np.ones((3, H))}
    write_safetensors(tmp_path / "more.safetensors", {**found, **more})
    stored = read_safetensors(tmp_path / "more.safetensors")
    back = import_tensors(settings_from({**said, "architectures": ["ElectraForX"]}, name="config.json"), stored)
    assert set(back.left_out) == set(more)
