"""config.json → bert_config.json: each key is used, harmless or refused by name."""

from __future__ import annotations

import json

import pytest

from bertbuild.errors import CheckpointError
from bertbuild.huggingface.settings import read_settings, settings_from

SIZES = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_dropout_prob": 0.1,
    "hidden_size": 8,
    "initializer_range": 0.02,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 20,
}
SAVED = {  # what transformers writes besides, of a fine-tuned model
    "_name_or_path": "x",
    "architectures": ["BertForSequenceClassification"],
    "classifier_dropout": None,
    "finetuning_task": "mrpc",
    "gradient_checkpointing": False,
    "id2label": {"0": "no", "1": "yes"},
    "label2id": {"no": 0, "yes": 1},
    "layer_norm_eps": 1e-12,
    "model_type": "bert",
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "problem_type": "single_label_classification",
    "torch_dtype": "float32",
    "transformers_version": "4.57.1",
    "use_cache": True,
}


def settings(**changes):
    return settings_from({**SIZES, **SAVED, **changes}, name="config.json")


def refusal(**changes):
    with pytest.raises(CheckpointError) as raised:
        settings(**changes)
    assert raised.value.next_step
    return str(raised.value)


def test_what_is_written_are_the_sizes_and_the_activation():
    assert settings().bert_config == {**SIZES, "hidden_act": "gelu"}


@pytest.mark.parametrize(
    ("hidden_act", "written", "gelu"),
    [
        ("gelu", "gelu", "erf"),
        ("GELU", "gelu", "erf"),
        ("gelu_python", "gelu", "erf"),
        ("gelu_new", "gelu_new", "tanh"),
        ("gelu_pytorch_tanh", "gelu_new", "tanh"),
        ("gelu_fast", "gelu_new", "tanh"),
        ("gelu_accurate", "gelu_new", "tanh"),
        ("relu", "relu", None),
        ("tanh", "tanh", None),
    ],
)
def test_the_form_of_gelu_is_kept(hidden_act, written, gelu):
    found = settings(hidden_act=hidden_act)
    assert found.bert_config["hidden_act"] == written
    assert found.gelu == gelu


@pytest.mark.parametrize("hidden_act", ["silu", "swish", "quick_gelu", "gelu_10", "", None, 3, ["gelu"]])
def test_an_activation_that_modeling_py_has_not_is_refused_by_name(hidden_act):
    assert f"hidden_act {json.dumps(hidden_act)}" in refusal(hidden_act=hidden_act)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("is_encoder_decoder", True),
        ("position_embedding_type", "relative_key"),
        ("position_embedding_type", "relative_key_query"),
        ("position_embedding_type", "alibi"),
        ("layer_norm_eps", None),
        ("embedding_size", 4),
        ("pruned_heads", {"0": [1]}),
        ("auto_map", {"AutoModel": "modeling.MyBert"}),
        ("quantization_config", {"bits": 8}),
        ("rope_theta", 10000),
    ],
)
def test_a_key_that_changes_the_arithmetic_is_refused_by_name(key, value):
    assert key in refusal(**{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("is_decoder", False),
        ("is_decoder", None),
        ("embedding_size", 8),
        ("pruned_heads", {}),
        ("chunk_size_feed_forward", 64),
        ("output_attentions", True),
        ("pooler_fc_size", 768),
        ("directionality", "bidi"),
        ("_attn_implementation", "sdpa"),
        ("tie_word_embeddings", False),
    ],
)
def test_a_key_that_does_not_is_taken(key, value):
    assert settings(**{key: value}).bert_config == {**SIZES, "hidden_act": "gelu"}


def test_another_layer_norm_epsilon_is_carried_over():
    assert settings(layer_norm_eps=1e-5).bert_config == {**SIZES, "hidden_act": "gelu", "layer_norm_eps": 1e-5}


def test_a_size_that_is_not_given_is_transformers_own_default():
    found = settings_from({"model_type": "bert", "vocab_size": 100}, name="config.json").bert_config
    assert (found["vocab_size"], found["hidden_size"], found["type_vocab_size"]) == (100, 768, 2)


@pytest.mark.parametrize(
    ("model_type", "named"),
    [
        ("roberta", "RoBERTa"),
        ("xlm-roberta", "XLM-RoBERTa"),
        ("distilbert", "DistilBERT"),
        ("deberta", "DeBERTa"),
        ("deberta-v2", "DeBERTa-v2"),
        ("mpnet", "MPNet"),
        ("modernbert", "ModernBERT"),
        ("camembert", "CamemBERT"),
        ("gpt2", "gpt2"),
    ],
)
def test_a_model_that_is_no_bert_is_named(model_type, named):
    assert f"says that the model is {named};" in refusal(model_type=model_type)


@pytest.mark.parametrize(
    ("architecture", "named"),
    [
        ("DistilBertForMaskedLM", "DistilBERT"),
        ("XLMRobertaModel", "XLM-RoBERTa"),
        ("DebertaV2Model", "DeBERTa-v2"),
        ("RobertaForQuestionAnswering", "RoBERTa"),
        ("SomethingModel", "SomethingModel"),
    ],
)
def test_its_architecture_names_it_where_it_has_no_model_type(architecture, named):
    assert f"says that the model is {named};" in refusal(model_type=None, architectures=[architecture])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '"bert"', "[" * 100_000, '{"vocab_size": "many"}', '{"hidden_size": 7}']
)
def test_a_config_that_cannot_be_read_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError) as raised:
        read_settings(tmp_path / "config.json")
    assert "config.json" in str(raised.value)
    assert raised.value.next_step
