from __future__ import annotations

import json

import pytest

from bertbuild.checkpoint.config import BertConfig, config_from, read_config
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


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe\x00", b"3", b"[" * 100_000])
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
