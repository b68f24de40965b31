from __future__ import annotations

import json

import pytest

from bertbuild.checkpoint.config import BertConfig, config_for_others, config_from, read_config
from bertbuild.errors import CheckpointError


def test_defaults_are_those_of_upstream():
    config = config_from({"vocab_size": 5}, name="c")
    assert config == BertConfig(vocab_size=5)
    assert config.type_vocab_size == 16
    assert (config.hidden_size, config.num_hidden_layers, config.intermediate_size) == (768, 12, 3072)


def test_unknown_keys_are_kept_aside():
    config = config_from({"vocab_size": 5, "directionality": "bidi", "pooler_fc_size": 768}, name="c")
    assert config.extra == {"directionality": "bidi", "pooler_fc_size": 768}


def test_genuine_configurations_are_read(shared):
    found = sorted((shared.parent / "configs").rglob("*.bert_config.json"))
    assert len(found) == 31
    for path in found:
        config = read_config(path)
        assert config.hidden_size == 64 * config.num_attention_heads
        assert f"L-{config.num_hidden_layers}_" in path.name or path.name.startswith("multi")


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({}, "vocab_size"),
        ({"vocab_size": 0}, "vocab_size"),
        ({"vocab_size": True}, "vocab_size"),
        ({"vocab_size": "5"}, "vocab_size"),
        ({"vocab_size": 5.0}, "vocab_size"),
        ({"vocab_size": 5, "hidden_size": None}, "hidden_size"),
        ({"vocab_size": 5, "hidden_size": 1 << 31}, "hidden_size"),
        ({"vocab_size": 5, "num_hidden_layers": 10**9}, "num_hidden_layers"),
        ({"vocab_size": 5, "hidden_act": "swish"}, "hidden_act"),
        ({"vocab_size": 5, "hidden_act": ["gelu"]}, "hidden_act"),
        ({"vocab_size": 5, "hidden_act": 0}, "hidden_act"),
        ({"vocab_size": 5, "layer_norm_eps": 0}, "layer_norm_eps"),
        ({"vocab_size": 5, "layer_norm_eps": None}, "layer_norm_eps"),
        ({"vocab_size": 5, "layer_norm_eps": float("nan")}, "layer_norm_eps"),
        ({"vocab_size": 5, "embedding_size": 128}, "embedding_size 128 where hidden_size is 768"),
        ({"vocab_size": 5, "emb_size": True}, "emb_size true where"),
        ({"vocab_size": 5, "is_decoder": True}, "is_decoder true, and .* has false"),
        ({"vocab_size": 5, "tie_word_embeddings": None}, "tie_word_embeddings null, and .* has true"),
        ({"vocab_size": 5, "is_decoder": 0}, "is_decoder 0"),
        ({"vocab_size": 5, "model_type": "albert"}, 'model_type "albert", and .* has "bert"'),
        ({"vocab_size": 5, "position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"vocab_size": 5, "pooler_type": "mean"}, "pooler_type"),
        ({"vocab_size": 5, "tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"vocab_size": 5, "num_hidden_groups": 1}, "the key num_hidden_groups"),
        ({"vocab_size": 5, "gelu": "erf"}, "the key gelu"),
        ({"vocab_size": 5, "extra": {}}, "the key extra"),
        ({"vocab_size": 5, "hidden_dropout_prob": 1.0}, "hidden_dropout_prob"),
        ({"vocab_size": 5, "attention_probs_dropout_prob": "0.1"}, "attention_probs_dropout_prob"),
        ({"vocab_size": 5, "initializer_range": 0}, "initializer_range"),
        ({"vocab_size": 5, "hidden_size": 10, "num_attention_heads": 4}, "num_attention_heads"),
    ],
)
def test_bad_values_are_refused_by_key(values, key):
    with pytest.raises(CheckpointError, match=key) as raised:
        config_from(values, name="bert_config.json")
    assert "bert_config.json" in str(raised.value)
    assert raised.value.next_step


@pytest.mark.parametrize("act", ["linear", "relu", "gelu", "tanh"])
def test_activations_of_upstream_are_accepted(act):
    assert config_from({"vocab_size": 5, "hidden_act": act}, name="c").hidden_act == act


@pytest.mark.parametrize(
    ("spelled", "act", "form"),
    [
        ("GELU", "gelu", None),
        ("Relu", "relu", None),
        ("TanH", "tanh", None),
        ("", "linear", None),
        (None, "linear", None),
        ("gelu_new", "gelu", "tanh"),
        ("gelu_pytorch_tanh", "gelu", "tanh"),
        ("gelu_fast", "gelu", "tanh"),
        ("gelu_accurate", "gelu", "tanh"),
        ("gelu_python", "gelu", "erf"),
    ],
)
def test_an_activation_is_what_modeling_py_or_hugging_face_takes_it_for(spelled, act, form):
    config = config_from({"vocab_size": 5, "hidden_act": spelled}, name="c")
    assert (config.hidden_act, config.gelu) == (act, form)


def test_an_unknown_key_is_refused_with_what_to_do():
    with pytest.raises(CheckpointError, match="has the key use_relative_position, ") as raised:
        config_from({"vocab_size": 5, "use_relative_position": True}, name="bert_config.json")
    assert "remove the key" in raised.value.next_step


def test_what_hugging_face_and_the_model_garden_write_beside_it_is_taken():
    written = {
        "architectures": ["BertForMaskedLM"],
        "backward_compatible": True,
        "embedding_size": None,
        "gradient_checkpointing": False,
        "id2label": {"0": "no"},
        "is_decoder": None,
        "add_cross_attention": None,
        "is_encoder_decoder": None,
        "model_type": "bert",
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "pruned_heads": {},
        "transformers_version": "4.57.6",
        "type_vocab_size": 2,
        "use_cache": True,
    }
    config = config_from({"vocab_size": 5, **written, "layer_norm_eps": 1e-12}, name="c")
    assert config.layer_norm_eps == 1e-12
    assert set(config.extra) == set(written) - {"type_vocab_size"}


@pytest.mark.parametrize(
    ("stated", "computed", "epsilon"), [(None, None, 1e-12), (None, 1e-5, 1e-5), (1e-6, None, 1e-6), (1e-6, 1e-6, 1e-6)]
)
def test_the_epsilon_is_the_files_or_the_graphs_or_modeling_pys(stated, computed, epsilon):
    assert BertConfig(vocab_size=5, layer_norm_eps=stated).epsilon(computed) == epsilon


@pytest.mark.parametrize(
    ("values", "computed", "changed"),
    [
        ({"hidden_act": "gelu"}, None, {"hidden_act": "gelu"}),
        ({}, 1e-12, {}),
        ({"hidden_act": "gelu_new"}, None, {"hidden_act": "gelu"}),
        ({"hidden_act": None}, None, {"hidden_act": "linear"}),
        ({}, 1e-5, {"layer_norm_eps": 1e-5}),
        ({"layer_norm_eps": 1e-12}, None, {"layer_norm_eps": 1e-12}),
    ],
)
def test_others_are_told_of_activation_and_epsilon_in_words_they_know(values, computed, changed):
    values = {"vocab_size": 5, "directionality": "bidi", **values}
    found = config_for_others(values, config_from(values, name="c"), computed)
    assert found == {"vocab_size": 5, "directionality": "bidi", **changed}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"3", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(tmp_path, content):
    path = tmp_path / "bert_config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="JSON"):
        read_config(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read") as raised:
        read_config(tmp_path / "gone.json")
    assert "No such file" in raised.value.details


def test_a_configuration_from_a_file(tmp_path):
    path = tmp_path / "bert_config.json"
    path.write_text(json.dumps({"vocab_size": 7, "hidden_size": 24, "num_attention_heads": 3}))
    assert read_config(path) == BertConfig(vocab_size=7, hidden_size=24, num_attention_heads=3)
