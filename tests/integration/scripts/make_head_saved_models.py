"""In the tf1 environment: SavedModels of every head as others export them, over google-research/bert's modeling.py.

Request: {"out": folder, "config": {…}, "seed": …, "names": [of the table below]}. Writes `out/<name>/` for each, with
the signature serving_default, and `out/<name>.npz` with its variables.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf
from bert import modeling

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
request = json.load(sys.stdin)
OUT, LENGTH, TAGS = Path(request["out"]), 16, 9
CONFIG = modeling.BertConfig.from_dict(request["config"])


def weights(columns, scope=""):
    """The variables of a head, under google-research/bert's names."""
    kernel = tf.compat.v1.get_variable(scope + "output_weights", [columns, CONFIG.hidden_size])
    return kernel, tf.compat.v1.get_variable(scope + "output_bias", [columns])


def layer(hidden, columns, scope=""):
    """A head's dense layer."""
    kernel, bias = weights(columns, scope)
    return tf.nn.bias_add(tf.matmul(hidden, kernel, transpose_b=True), bias)


def rows(model):
    """The last hidden states in two dimensions."""
    return tf.reshape(model.get_sequence_output(), [-1, CONFIG.hidden_size])


def many_labels(model):
    """A sigmoid, under a name that tells nothing."""
    return {"scores": tf.nn.sigmoid(layer(model.get_pooled_output(), 3))}


def sts(model):
    """run_classifier.py with its loss replaced by squared differences."""
    return {"predictions": tf.squeeze(layer(model.get_pooled_output(), 1), [-1])}


def sts_column(model):
    """The same, not squeezed."""
    return {"predictions": layer(model.get_pooled_output(), 1)}


def ner(model):
    """BERT-NER: probabilities under the classifier's name, and the tags."""
    logits = tf.reshape(layer(rows(model), TAGS), [-1, LENGTH, TAGS])
    with tf.compat.v1.variable_scope("loss"):
        found = tf.nn.softmax(logits, axis=-1)
    return {"probabilities": found, "tags": tf.argmax(found, axis=-1)}


def ner_by_layers(model):
    """A tagger by tf.layers.dense over three dimensions, whose kernel lies as [H, C]; it gives its logits."""
    return {"logits": tf.compat.v1.layers.dense(model.get_sequence_output(), TAGS, name="hidden2tag")}


def squad(model):
    """run_squad.py's create_model."""
    logits = tf.reshape(layer(rows(model), 2, "cls/squad/"), [-1, LENGTH, 2])
    start, end = tf.unstack(tf.transpose(logits, [2, 0, 1]), axis=0)
    return {"start": start, "end": end}


def words(model):
    """run_pretraining.py's masked LM at every position, and its next sentence."""
    with tf.compat.v1.variable_scope("cls/predictions"):
        with tf.compat.v1.variable_scope("transform"):
            made = tf.compat.v1.layers.dense(rows(model), CONFIG.hidden_size, activation=modeling.gelu)
            made = modeling.layer_norm(made)
        bias = tf.compat.v1.get_variable("output_bias", [CONFIG.vocab_size])
        logits = tf.nn.bias_add(tf.matmul(made, model.get_embedding_table(), transpose_b=True), bias)
    following = layer(model.get_pooled_output(), 2, "cls/seq_relationship/")
    return {"words": tf.reshape(logits, [-1, LENGTH, CONFIG.vocab_size]), "following": following}


def several(model):
    """A span and a score in one."""
    return dict(squad(model), **sts(model))


def several_and_tags(model):
    """A span and a tagger's logits in one, and the tags."""
    found = ner_by_layers(model)
    return dict(squad(model), tags=tf.argmax(found["logits"], axis=-1), **found)


def decoded(model):
    """A CRF's tags, beside the pooled output."""
    logits = tf.reshape(layer(rows(model), TAGS), [-1, LENGTH, TAGS])
    transitions = tf.compat.v1.get_variable("transitions", [TAGS, TAGS])
    tags, _ = tf.contrib.crf.crf_decode(logits, transitions, tf.fill([tf.shape(logits)[0]], LENGTH))
    return {"tags": tags, "logits": logits, "sentence": model.get_pooled_output()}


def a_layer_more(model):
    """A dense layer between pooler and classifier."""
    hidden = tf.compat.v1.layers.dense(model.get_pooled_output(), 24, activation=tf.nn.relu, name="projection")
    return {"probabilities": tf.nn.softmax(tf.compat.v1.layers.dense(hidden, 3, name="classes"))}


MODELS = {
    made.__name__: made
    for made in (
        many_labels,
        sts,
        sts_column,
        ner,
        ner_by_layers,
        squad,
        words,
        several,
        several_and_tags,
        decoded,
        a_layer_more,
    )
}


def write(name, build):
    """The SavedModel, with values large enough that every answer depends on every input."""
    chance = np.random.RandomState(request["seed"])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inputs = {
            role: tf.compat.v1.placeholder(tf.int32, [None, LENGTH], name=role)
            for role in ("input_ids", "input_mask", "segment_ids")
        }
        model = modeling.BertModel(CONFIG, False, *inputs.values())
        outputs = build(model)
        values = {}
        for variable in sorted(tf.compat.v1.trainable_variables(), key=lambda variable: variable.op.name):
            value = (chance.standard_normal(variable.shape.as_list()) * request.get("spread", 0.25)).astype(np.float32)
            values[variable.op.name] = value + np.float32(variable.op.name.endswith("gamma"))
            session.run(variable.initializer, {variable.initial_value: values[variable.op.name]})
        tf.compat.v1.saved_model.simple_save(session, str(OUT / name), inputs, outputs)
        np.savez(OUT / (name + ".npz"), **values)


for wanted in request["names"]:
    write(wanted, MODELS[wanted])
json.dump({"made": request["names"]}, sys.stdout)
