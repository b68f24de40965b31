"""The Model Garden's BERT and ALBERT, built for a bert_config.json and a form of gelu."""

import contextlib
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # the Model Garden is written for Keras 2
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf
import tf_keras
from official.legacy.bert import bert_models, configs
from official.modeling import tf_utils
from official.nlp.modeling import networks
from stage import StageInputError

from bertbuild.checkpoint.config import read_config
from bertbuild.errors import BertbuildError
from bertbuild.families.table import ALBERT, BERT


def gelu_erf(x):
    """The exact gelu, as the published graphs compute it; tf.nn.gelu has Erfc, which OpenVINO 2024.6 cannot read."""
    return x * (0.5 * (1.0 + tf.math.erf(x / tf.sqrt(2.0))))


def gelu_tanh(x):
    """Gelu by tanh, the Model Garden's own."""
    return tf.nn.gelu(x, approximate=True)


GELU = {"erf": gelu_erf, "tanh": gelu_tanh}


def any_gelu(form):
    """A gelu whose form can be changed in a model that is built already: "erf" or "tanh", its attribute `form`.

    It is a function, since Keras keeps a model's activation as one. For models that are not traced.
    """

    def gelu(x):
        return GELU[gelu.form](x)

    gelu.form = form
    return gelu


def bert_config(path, gelu, family=BERT):
    """A bert_config.json as the Model Garden reads it, its activation the form of gelu that is given, if any.

    Args:
        path: of the file.
        gelu: "erf", "tanh", what `any_gelu` gives, or None.
        family: of the model: BERT or ALBERT.

    Raises:
        StageInputError: it is none.
    """
    try:
        read = read_config(Path(path), family)
    except BertbuildError as error:
        raise StageInputError(str(error).rstrip(".")) from error
    config = configs.BertConfig.from_dict(json.loads(Path(path).read_bytes()))
    config.hidden_act = GELU.get(gelu, gelu) if gelu and read.hidden_act == "gelu" else read.hidden_act
    config.layer_norm_eps = read.epsilon(None)
    config.family, config.embedding_size = family, read.embedding_size
    return config


def with_epsilon(model, config):
    """The same model, its layer norms adding the configuration's epsilon: the Model Garden builds all with 1e-12."""
    for part in model.submodules:
        if isinstance(part, tf_keras.layers.LayerNormalization):
            part.epsilon = config.layer_norm_eps
    return model


@contextlib.contextmanager
def _unset():
    """What is built inside has zeros where the Model Garden draws random weights, which takes most of the time."""
    drawn = tf_keras.initializers.TruncatedNormal
    tf_keras.initializers.TruncatedNormal = lambda stddev: tf_keras.initializers.Zeros()  # noqa: ARG005
    try:
        yield
    finally:
        tf_keras.initializers.TruncatedNormal = drawn


def encoder_of(config):
    """networks.BertEncoder or networks.AlbertEncoder, to be restored: its weights are zeros."""
    if config.family == ALBERT:
        return with_epsilon(_albert_encoder(config), config)
    with _unset():
        return with_epsilon(bert_models.get_transformer_encoder(config), config)


def _albert_encoder(config):
    return networks.AlbertEncoder(
        vocab_size=config.vocab_size,
        embedding_width=config.embedding_size,
        hidden_size=config.hidden_size,
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        max_sequence_length=config.max_position_embeddings,
        type_vocab_size=config.type_vocab_size,
        intermediate_size=config.intermediate_size,
        activation=tf_utils.get_activation(config.hidden_act),
        dropout_rate=config.hidden_dropout_prob,
        attention_dropout_rate=config.attention_probs_dropout_prob,
        initializer=tf_keras.initializers.Zeros(),
    )


def subclassed_encoder(config):
    """networks.BertEncoderV2, the current Model Garden's, which finds the same objects under other names; zeros too."""
    encoder = networks.BertEncoderV2(
        initializer=tf_keras.initializers.Zeros(),
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        inner_dim=config.intermediate_size,
        max_sequence_length=config.max_position_embeddings,
        type_vocab_size=config.type_vocab_size,
    )
    encoder(dict.fromkeys(("input_word_ids", "input_mask", "input_type_ids"), tf.ones([1, 2], tf.int32)))
    return encoder


def hub_model(config):
    """The model of a hub module, [input_word_ids, input_mask, input_type_ids] → [pooled, sequence]; and its encoder."""
    from official.legacy.bert import export_tfhub  # it defines flags that run_classifier and run_squad define too

    with _unset():
        model, encoder = export_tfhub.create_bert_model(config)
    return with_epsilon(model, config), encoder
