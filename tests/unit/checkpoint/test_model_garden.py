from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import TINY
from family_models import ALBERT_CONFIG
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.checkpoint.config import config_from
from bertbuild.checkpoint.model_garden import (
    dense_places,
    encoder_aliases,
    encoder_places,
    keras_name,
    masked_lm_places,
)
from bertbuild.checkpoint.object_graph import value_key
from bertbuild.checkpoint.variables import encoder_variables
from bertbuild.heads import classifier


def config_of(**values):
    return config_from({**TINY, **values}, name="test")


CONFIGS = st.builds(
    lambda heads, size, **values: config_of(hidden_size=heads * size, num_attention_heads=heads, **values),
    heads=st.integers(1, 12),
    size=st.integers(1, 8),
    num_hidden_layers=st.integers(1, 13),
    intermediate_size=st.integers(1, 9),
    vocab_size=st.integers(1, 30),
    type_vocab_size=st.integers(1, 3),
)
TWELVE = config_of(hidden_size=384, num_attention_heads=12, intermediate_size=64, num_hidden_layers=2)

ALBERT_LAYER = "bert/encoder/transformer/group_0/inner_group_0"
OF_ALBERT_ENCODER = {
    "bert/embeddings/position_embeddings": (
        "layer_with_weights-1/embeddings",
        "position_embedding/embeddings",
        [12, 8],
    ),
    "bert/embeddings/LayerNorm/beta": ("layer_with_weights-3/beta", "embeddings/layer_norm/beta", [8]),
    "bert/encoder/embedding_hidden_mapping_in/kernel": (
        "layer_with_weights-4/kernel",
        "embedding_projection/kernel",
        [8, 32],
    ),
    f"{ALBERT_LAYER}/attention_1/self/query/kernel": (
        "layer_with_weights-5/_attention_layer/_query_dense/kernel",
        "transformer/self_attention/query/kernel",
        [32, 4, 8],
    ),
    f"{ALBERT_LAYER}/LayerNorm/gamma": (
        "layer_with_weights-5/_attention_layer_norm/gamma",
        "transformer/self_attention_layer_norm/gamma",
        [32],
    ),
    f"{ALBERT_LAYER}/ffn_1/intermediate/output/dense/bias": (
        "layer_with_weights-5/_output_dense/bias",
        "transformer/output/bias",
        [32],
    ),
    f"{ALBERT_LAYER}/LayerNorm_1/beta": (
        "layer_with_weights-5/_output_layer_norm/beta",
        "transformer/output_layer_norm/beta",
        [32],
    ),
    "bert/pooler/dense/kernel": ("layer_with_weights-6/kernel", "pooler_transform/kernel", [32, 32]),
}


def of_albert(**changes):
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "embedding_size": 8, "max_position_embeddings": 12}
    return config_from({**ALBERT_CONFIG, **sizes, **changes}, name="test", family="albert")


def test_an_alberts_variables_lie_where_the_model_gardens_encoder_has_them():
    places = {place.source: place for place in encoder_places(of_albert(), "encoder")}
    assert list(places) == list(encoder_variables(of_albert()))
    found = {name: ("/".join(places[name].path[1:]), places[name].name, list(places[name].shape)) for name in places}
    assert {name: found[name] for name in OF_ALBERT_ENCODER} == OF_ALBERT_ENCODER
    assert encoder_aliases(of_albert(), "encoder") == {
        ("encoder", "_embedding_layer"): ("encoder", "layer_with_weights-0"),
        ("encoder", "_position_embedding_layer"): ("encoder", "layer_with_weights-1"),
    }


def test_an_albert_whose_embeddings_are_as_wide_as_its_states_has_no_projection():
    places = {place.source: place for place in encoder_places(of_albert(embedding_size=32), "encoder")}
    assert places["bert/pooler/dense/bias"].path == ("encoder", "layer_with_weights-5", "bias")
    assert places[f"{ALBERT_LAYER}/LayerNorm/gamma"].path[1] == "layer_with_weights-4"


OF_THE_MODEL_GARDEN = {
    "bert/embeddings/word_embeddings": ("layer_with_weights-0/embeddings", "word_embeddings/embeddings", [20, 384]),
    "bert/embeddings/position_embeddings": (
        "layer_with_weights-1/embeddings",
        "position_embedding/embeddings",
        [12, 384],
    ),
    "bert/embeddings/token_type_embeddings": (
        "layer_with_weights-2/embeddings",
        "type_embeddings/embeddings",
        [2, 384],
    ),
    "bert/embeddings/LayerNorm/gamma": ("layer_with_weights-3/gamma", "embeddings/layer_norm/gamma", [384]),
    "bert/encoder/layer_0/attention/self/query/kernel": (
        "layer_with_weights-4/_attention_layer/_query_dense/kernel",
        "transformer/layer_0/self_attention/query/kernel",
        [384, 12, 32],
    ),
    "bert/encoder/layer_1/attention/self/value/bias": (
        "layer_with_weights-5/_attention_layer/_value_dense/bias",
        "transformer/layer_1/self_attention/value/bias",
        [12, 32],
    ),
    "bert/encoder/layer_0/attention/output/dense/kernel": (
        "layer_with_weights-4/_attention_layer/_output_dense/kernel",
        "transformer/layer_0/self_attention/attention_output/kernel",
        [12, 32, 384],
    ),
    "bert/encoder/layer_0/attention/output/dense/bias": (
        "layer_with_weights-4/_attention_layer/_output_dense/bias",
        "transformer/layer_0/self_attention/attention_output/bias",
        [384],
    ),
    "bert/encoder/layer_1/attention/output/LayerNorm/beta": (
        "layer_with_weights-5/_attention_layer_norm/beta",
        "transformer/layer_1/self_attention_layer_norm/beta",
        [384],
    ),
    "bert/encoder/layer_1/intermediate/dense/kernel": (
        "layer_with_weights-5/_intermediate_dense/kernel",
        "transformer/layer_1/intermediate/kernel",
        [384, 64],
    ),
    "bert/encoder/layer_0/output/dense/kernel": (
        "layer_with_weights-4/_output_dense/kernel",
        "transformer/layer_0/output/kernel",
        [64, 384],
    ),
    "bert/encoder/layer_0/output/LayerNorm/gamma": (
        "layer_with_weights-4/_output_layer_norm/gamma",
        "transformer/layer_0/output_layer_norm/gamma",
        [384],
    ),
    "bert/pooler/dense/kernel": ("layer_with_weights-6/kernel", "pooler_transform/kernel", [384, 384]),
}
"""Variable of google-research/bert → key below the root, name, shape; tf-models-official 2.4 to 2.20."""

FIRST_CONVERTER = {
    "bert/encoder/layer_9/attention/self/query/bias": "bert_model/encoder/layer_9/self_attention/query/bias",
    "bert/encoder/layer_3/attention/self/query/kernel": "bert_model/encoder/layer_3/self_attention/query/kernel",
    "bert/encoder/layer_3/attention/output/dense/kernel": "bert_model/encoder/layer_3/self_attention_output/kernel",
    "bert/encoder/layer_3/attention/output/LayerNorm/beta": "bert_model/encoder/layer_3/self_attention_layer_norm/beta",
    "bert/encoder/layer_3/intermediate/dense/bias": "bert_model/encoder/layer_3/intermediate/bias",
    "bert/encoder/layer_3/output/dense/bias": "bert_model/encoder/layer_3/output/bias",
    "bert/encoder/layer_3/output/LayerNorm/gamma": "bert_model/encoder/layer_3/output_layer_norm/gamma",
    "bert/embeddings/word_embeddings": "bert_model/word_embeddings/embeddings",
    "bert/embeddings/token_type_embeddings": "bert_model/embedding_postprocessor/type_embeddings",
    "bert/embeddings/position_embeddings": "bert_model/embedding_postprocessor/position_embeddings",
    "bert/embeddings/LayerNorm/beta": "bert_model/embedding_postprocessor/layer_norm/beta",
    "bert/pooler/dense/kernel": "bert_model/pooler_transform/kernel",
    "cls/predictions/output_bias": "cls/predictions/output_bias",
    "global_step": "global_step",
}


@given(CONFIGS)
def test_every_variable_of_the_encoder_has_one_place_of_its_own(config):
    places = list(encoder_places(config, "encoder"))
    assert {place.source: place.source_shape for place in places} == encoder_variables(config)
    assert len(places) == len({place.source for place in places})
    assert len(places) == len({place.path for place in places})
    assert len(places) == len({place.name for place in places})
    assert {place.path[0] for place in places} == {"encoder"}
    assert all(math.prod(place.shape) == math.prod(place.source_shape) for place in places)


@given(CONFIGS, st.integers(1, 5))
def test_what_goes_forth_comes_back_bit_for_bit(config, labels):
    places = [
        *encoder_places(config, "encoder"),
        *masked_lm_places(config),
        *masked_lm_places(config, ("u",), "cls/predictions/output_weights"),
        *dense_places(config, classifier.found(labels), ("c",)),
    ]
    for place in places:
        value = np.arange(math.prod(place.source_shape), dtype=np.float32).reshape(place.source_shape)
        target = place.forth(value)
        assert target.shape == place.shape
        assert np.array_equal(place.back(np.ascontiguousarray(target)), value)


@given(CONFIGS)
def test_query_key_and_value_are_cut_into_heads_in_their_order(config):
    hidden, heads = config.hidden_size, config.num_attention_heads
    size = hidden // heads
    places = {place.source: place for place in encoder_places(config, "encoder")}
    value = np.random.default_rng(0).standard_normal((hidden, hidden)).astype(np.float32)
    scope = "bert/encoder/layer_0/attention"
    for part in ("query", "key", "value"):
        target = places[f"{scope}/self/{part}/kernel"].forth(value)
        assert all(np.array_equal(target[:, head], value[:, head * size :][:, :size]) for head in range(heads))
    target = places[f"{scope}/output/dense/kernel"].forth(value)
    assert all(np.array_equal(target[head], value[head * size :][:size]) for head in range(heads))


def test_the_weights_of_a_head_are_transposed_and_nothing_else_is():
    changes = {place.source: place.change for place in dense_places(TWELVE, classifier.found(3), ("c",))}
    assert changes == {"output_weights": "transposed", "output_bias": "as it is"}
    encoder = {place.source: place.change for place in encoder_places(TWELVE, "encoder")}
    assert set(encoder.values()) == {"reshaped", "as it is"}
    assert {name.split("/", 3)[3] for name, change in encoder.items() if change == "reshaped"} == {
        *(f"attention/self/{part}/{last}" for part in ("query", "key", "value") for last in ("kernel", "bias")),
        "attention/output/dense/kernel",
    }


@pytest.mark.parametrize("source", OF_THE_MODEL_GARDEN)
def test_keys_names_and_shapes_are_those_of_the_model_garden(source):
    (place,) = [place for place in encoder_places(TWELVE, "model") if place.source == source]
    key = value_key(place.path).removesuffix("/.ATTRIBUTES/VARIABLE_VALUE").removeprefix("model/")
    assert (key, place.name, list(place.shape)) == OF_THE_MODEL_GARDEN[source]


def test_the_masked_lm_head_has_the_keys_of_the_pretrainer():
    keys = {place.source: value_key(place.path).split("/.ATTRIBUTES")[0] for place in masked_lm_places(TWELVE)}
    assert keys == {
        "cls/predictions/transform/dense/kernel": "masked_lm/dense/kernel",
        "cls/predictions/transform/dense/bias": "masked_lm/dense/bias",
        "cls/predictions/transform/LayerNorm/beta": "masked_lm/layer_norm/beta",
        "cls/predictions/transform/LayerNorm/gamma": "masked_lm/layer_norm/gamma",
        "cls/predictions/output_bias": "masked_lm/output_bias.Sbias",
    }


@given(CONFIGS)
def test_each_object_of_the_encoder_has_the_subclassed_encoders_name_too(config):
    aliases = encoder_aliases(config, "encoder")
    assert sorted(aliases.values()) == sorted({place.path[:2] for place in encoder_places(config, "encoder")})
    last = config.num_hidden_layers - 1
    assert aliases["encoder", "_transformer_layers", str(last)] == ("encoder", f"layer_with_weights-{4 + last}")


@pytest.mark.parametrize("source", FIRST_CONVERTER)
def test_names_of_the_first_converter(source):
    assert keras_name(source) == FIRST_CONVERTER[source]


@given(CONFIGS)
def test_the_first_converter_gives_no_name_twice(config):
    names = encoder_variables(config)
    assert len({keras_name(name) for name in names}) == len(names)
