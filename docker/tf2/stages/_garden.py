"""The Model Garden's BERT, built for a checkpoint of a known format and form of gelu, and restored."""

import json
import os
import typing
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # the Model Garden is written for Keras 2
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf
import tf_keras
from checkpoint_files import find_prefix
from official.legacy.bert import bert_models, configs
from official.nlp.modeling import layers, models, networks
from stage import StageInputError

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.config import config_from, read_config
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.model_garden import encoder_places
from bertbuild.checkpoint.recovery import recover
from bertbuild.errors import BertbuildError
from bertbuild.families.bert import WORD_EMBEDDINGS
from bertbuild.families.bert_names import CONFIG_FILE
from bertbuild.heads import classifier, masked_lm, next_sentence, span
from bertbuild.heads.classifier import TENSOR as PROBABILITIES
from bertbuild.heads.pooled import TENSOR as POOLED
from bertbuild.heads.sequence import TENSOR as SEQUENCE


def gelu_erf(x):
    """The exact gelu, as the published graphs compute it; tf.nn.gelu has Erfc, which OpenVINO 2024.6 cannot read."""
    return x * (0.5 * (1.0 + tf.math.erf(x / tf.sqrt(2.0))))


def gelu_tanh(x):
    """Gelu by tanh, the Model Garden's own."""
    return tf.nn.gelu(x, approximate=True)


GELU = {"erf": gelu_erf, "tanh": gelu_tanh}


class Answering(typing.NamedTuple):
    """A restored model, and what it answers.

    Attributes:
        model: the Keras model with the variables.
        run: int32 tensors [B, S] (ids, mask, segments) → output name → float32 tensor: pooled_output [B, H] and
            sequence_output [B, S, H], or probabilities [B, C] of a classifier.
    """

    model: tf_keras.Model
    run: typing.Callable[..., dict[str, tf.Tensor]]


def bert_config(path, gelu):
    """A bert_config.json as the Model Garden reads it, its activation the form of gelu that is given, if any.

    Raises:
        StageInputError: it is none.
    """
    try:
        read = read_config(Path(path))
    except BertbuildError as error:
        raise StageInputError(str(error).rstrip(".")) from error
    config = configs.BertConfig.from_dict(json.loads(Path(path).read_bytes()))
    config.hidden_act = GELU[gelu] if gelu and read.hidden_act == "gelu" else read.hidden_act
    config.layer_norm_eps = read.epsilon(None)
    return config


def answering(folder, table, gelu, prefix=None):
    """Build the model of a converted checkpoint and restore it, every variable of both accounted for.

    Args:
        folder: with the checkpoint and bert_config.json.
        table: its mapping.json.
        gelu: "erf", "tanh" or None.
        prefix: the checkpoint's name, where there are several.

    Returns:
        an `Answering`.

    Raises:
        StageInputError: a variable of the checkpoint or of the model was left.
    """
    config, path = bert_config(os.path.join(folder, CONFIG_FILE), gelu), find_prefix(folder, prefix)
    sources = {row["source"]: row for row in table["variables"]}
    try:
        if table["format"] == "pretrainer":
            return _pretrainer(config, path, sources)
        if table["format"] == "keras-bert" and classifier.WEIGHTS in sources:
            return _classifier(config, path, sources[classifier.WEIGHTS]["source_shape"][0])
        if table["format"] == "keras-bert" and span.WEIGHTS in sources:
            return _span_labeler(config, path)
        if table["format"] == "keras-names":
            return _by_name(config, path, table)
        return _encoder(config, path)
    except (AssertionError, ValueError) as error:
        message = "the Model Garden's model does not take the checkpoint whole: %s" % str(error).strip().split("\n")[0]
        raise StageInputError(message) from error


def found(prefix, config_path, gelu, root=""):
    """Restore the encoder, and the classifier's head if there is one, from wherever they are in a checkpoint.

    Args:
        prefix: of the checkpoint.
        config_path: its bert_config.json.
        gelu: "erf", "tanh" or None.
        root: of several encoders the one below this object; empty: the only one.

    Returns:
        an `Answering`.

    Raises:
        StageInputError: there is no BERT of this config in it.
    """
    config = bert_config(config_path, gelu)
    try:
        reader = CheckpointReader(prefix)
        places = {item.place.source: item for item in recover(reader, read_config(Path(config_path)), root)}
    except BertbuildError as error:
        raise StageInputError(str(error).rstrip(".")) from error
    if OBJECT_GRAPH_KEY not in reader.entries:
        rows = [{"source": source, "target": item.key} for source, item in places.items()]
        return _by_name(config, prefix, {"variables": rows})
    if classifier.WEIGHTS in places:
        item = places[classifier.WEIGHTS]
        path, classes = item.place.path, item.place.source_shape[0]
        if path[-2] == "out_proj":  # …/layer_with_weights-1/out_proj/kernel
            model, root = bert_models.classifier_model(config, classes)[0], path[:-3]
        else:  # …/layer_with_weights-1/kernel
            model, root = _dense_classifier(config, classes), path[:-2]
        _restore(model, root, prefix)
        return probabilities(with_epsilon(model, config))
    encoder = encoder_of(config)
    _restore(encoder, places[WORD_EMBEDDINGS].place.path[:-2], prefix)
    return hidden_outputs(encoder)


def with_epsilon(model, config):
    """The same model, its layer norms adding the configuration's epsilon: the Model Garden builds all with 1e-12."""
    for part in model.submodules:
        if isinstance(part, tf_keras.layers.LayerNormalization):
            part.epsilon = config.layer_norm_eps
    return model


def _dense_classifier(config, classes):
    """An encoder with a plain dense layer behind it, which gives logits."""
    encoder = encoder_of(config)
    _, pooled = encoder(encoder.inputs)
    return tf_keras.Model(encoder.inputs, tf_keras.layers.Dense(classes)(pooled))


def _restore(model, root, prefix):
    """Restore a model that lies below a path of objects; that of `save_weights` is the root itself, with no path."""
    for name in reversed(root):
        model = tf.train.Checkpoint(**{name: model})
    if not root:
        model = tf.train.Checkpoint(model)
    # `restore` would ask for the counter of saves, which `write` and `save_weights` leave out.
    model.read(prefix).assert_existing_objects_matched()


def hidden_outputs(encoder):
    """What an encoder answers: pooled_output and sequence_output."""

    def run(*inputs):
        sequence, pooled = encoder(list(inputs))
        return {POOLED: pooled, SEQUENCE: sequence}

    return Answering(encoder, run)


def probabilities(classifier):
    """What a classifier answers: the softmax of its logits."""

    def run(*inputs):
        return {PROBABILITIES: tf.nn.softmax(classifier(list(inputs)), axis=-1)}

    return Answering(classifier, run)


def encoder_of(config):
    """networks.BertEncoder, with random weights."""
    return with_epsilon(bert_models.get_transformer_encoder(config), config)


def _encoder(config, path):
    encoder = encoder_of(config)
    tf.train.Checkpoint(model=encoder, encoder=encoder).restore(path).assert_consumed()
    # The subclassed encoder of the current Model Garden finds the same objects under other names.
    subclassed = networks.BertEncoderV2(**_settings(config))
    subclassed(dict.fromkeys(("input_word_ids", "input_mask", "input_type_ids"), tf.ones([1, 2], tf.int32)))
    tf.train.Checkpoint(encoder=subclassed).restore(path).assert_existing_objects_matched()
    return hidden_outputs(encoder)


def _settings(config):
    return {
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "inner_dim": config.intermediate_size,
        "max_sequence_length": config.max_position_embeddings,
        "type_vocab_size": config.type_vocab_size,
    }


def _classifier(config, path, labels):
    model, encoder = bert_models.classifier_model(config, labels)
    tf.train.Checkpoint(model=model).restore(path).assert_existing_objects_matched()
    tf.train.Checkpoint(encoder=encoder).restore(path).assert_existing_objects_matched()
    return probabilities(with_epsilon(model, config))


def _span_labeler(config, path):
    model, encoder = bert_models.squad_model(config, None)
    tf.train.Checkpoint(model=model, encoder=encoder).restore(path).assert_existing_objects_matched()
    return hidden_outputs(with_epsilon(encoder, config))


def _pretrainer(config, path, sources):
    encoder = encoder_of(config)
    heads = []
    if next_sentence.WEIGHTS in sources:
        heads = [layers.ClassificationHead(config.hidden_size, 2, name="next_sentence")]
    model = models.BertPretrainerV2(encoder, mlm_activation=config.hidden_act, classification_heads=heads)
    model(model.inputs)
    items = dict(model.checkpoint_items)
    if masked_lm.BIAS in sources:
        tf.train.Checkpoint(model=model, **items).restore(path).assert_consumed()
    else:  # the model makes the head; nothing in the checkpoint is for it
        del items["masked_lm"]
        tf.train.Checkpoint(**items).restore(path).assert_existing_objects_matched()
    return hidden_outputs(encoder)


def _by_name(config, path, table):
    """An encoder whose variables were given by name; nothing in the Model Garden restores such a file any more."""
    reader = tf.train.load_checkpoint(path)
    encoder = encoder_of(config)
    variables = {variable.name.split(":")[0]: variable for variable in encoder.variables}
    targets = {row["source"]: row["target"] for row in table["variables"]}
    values = {**config.to_dict(), "hidden_act": "gelu"}  # it may be a function by now
    for place in encoder_places(config_from(values, name=CONFIG_FILE), "encoder"):
        variables.pop(place.name).assign(place.forth(reader.get_tensor(targets[place.source])))
    if variables:
        raise ValueError("%s is in the model and not in the checkpoint" % min(variables))
    return hidden_outputs(encoder)


def serving_module(answering):
    """A tf.Module with a function `serve` over input_ids, input_mask, segment_ids, int32 [B, S]."""
    module = tf.Module()
    module.model = answering.model
    specs = [tf.TensorSpec([None, None], tf.int32, name=name) for name in ("input_ids", "input_mask", "segment_ids")]
    module.serve = tf.function(answering.run, input_signature=specs)
    return module


def hub_model(config):
    """The model of a hub module, [input_word_ids, input_mask, input_type_ids] → [pooled, sequence]; and its encoder."""
    from official.legacy.bert import export_tfhub  # it defines flags that run_classifier and run_squad define too

    model, encoder = export_tfhub.create_bert_model(config)
    return with_epsilon(model, config), encoder
