"""In the tf1 environment: training and inference graphs of every head, with the checkpoints that belong to them.

Request: {"out": folder, "config": {…}, "seed": …, "names": [of the table below; all where it is left out], "length": of
the sequences, else 16, "deviation": of the heads' weights, else as their initialisers draw them}. Writes `out/<name>/`
with bert_config.json, vocab.txt and bert_model.ckpt.* for each. What google-research/bert has is built by its own
run_classifier, run_squad and run_pretraining; the others by the lines that its forks put in their place.
"""

import importlib
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf
from absl import flags
from bert import modeling, optimization


def program(name):
    """A program of google-research/bert; each declares flags, many of the same names."""
    for flag in list(flags.FLAGS):
        delattr(flags.FLAGS, flag)
    return importlib.import_module("bert." + name)


tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
request = json.load(sys.stdin)
OUT, LENGTH, BATCH, MASKED = Path(request["out"]), request.get("length", 16), 4, 5
TRAIN, EVAL, PREDICT = (tf.estimator.ModeKeys.TRAIN, tf.estimator.ModeKeys.EVAL, tf.estimator.ModeKeys.PREDICT)
CONFIG = modeling.BertConfig.from_dict(request["config"])
SIZES = {
    "unique_ids": None,
    "label_ids": None,
    "is_real_example": None,
    "start_positions": None,
    "end_positions": None,
    "next_sentence_labels": 1,
    "masked_lm_positions": MASKED,
    "masked_lm_ids": MASKED,
    "masked_lm_weights": MASKED,
    "tags": LENGTH,
    "several": 3,
}
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def features():
    """One batch of an input pipeline, by name."""
    rows = {name: np.zeros((8, LENGTH), np.int32) for name in ("input_ids", "input_mask", "segment_ids")}
    for name, size in SIZES.items():
        rows[name] = np.zeros((8,) if size is None else (8, size), np.int32)
    for name in ("masked_lm_weights", "several"):
        rows[name] = rows[name].astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices(rows).repeat().batch(BATCH, drop_remainder=True)
    return tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()


def upstream(module, mode, *args):
    """A model_fn of google-research/bert, in a mode of the Estimator."""

    def build():
        model_fn = program(module).model_fn_builder(CONFIG, *args, None, 1e-3, 20, 2, False, False)
        model_fn(features(), None, mode, {})

    return build


def encoder(found, *, training):
    """Its model, over the features."""
    return modeling.BertModel(CONFIG, training, found["input_ids"], found["input_mask"], found["segment_ids"])


def dense(hidden, columns, weights="output_weights", bias="output_bias"):
    """The dense layer of run_classifier and of BERT-NER."""
    kernel = tf.compat.v1.get_variable(weights, [columns, hidden.shape[-1]])
    return tf.nn.bias_add(tf.matmul(hidden, kernel, transpose_b=True), tf.compat.v1.get_variable(bias, [columns]))


def fork(columns, end, *, reads="pooled", training=True, before=None):
    """A fork's graph: a dense layer over the pooled output or each hidden state; `end` gives its loss."""

    def build():
        found = features()
        model = encoder(found, training=training)
        hidden = model.get_pooled_output() if reads == "pooled" else model.get_sequence_output()
        if reads == "sequence":
            hidden = tf.reshape(hidden, [-1, hidden.shape[-1]])
        if reads == "first":
            hidden = tf.squeeze(model.get_sequence_output()[:, 0:1, :], axis=1)
        if training:
            hidden = tf.nn.dropout(hidden, keep_prob=0.9)
        if before is not None:
            hidden = before(hidden)
        loss = end(dense(hidden, columns), found)
        if training:
            optimization.create_optimizer(loss, 1e-3, 20, 2, use_tpu=False)

    return build


def headless():
    """The encoder and its pooler, as Google's archives have them."""
    encoder(features(), training=False)


def several_labels(logits, found):
    """Sigmoid cross entropy, as multi-label forks have it."""
    tf.nn.sigmoid(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=found["several"], logits=logits))


def several_labels_by_loss(logits, found):
    """The loss alone: no Sigmoid in the graph."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=found["several"], logits=logits))


def score(logits, found):
    """The mean of squared differences, as run_classifier of XLNet and of our finetune for STS-B."""
    return tf.reduce_mean(tf.square(tf.squeeze(logits, [-1]) - tf.cast(found["label_ids"], tf.float32)))


def score_by_squares(logits, found):
    """The same by tf.math.squared_difference."""
    return tf.reduce_mean(tf.math.squared_difference(tf.reshape(logits, [-1]), tf.cast(found["label_ids"], tf.float32)))


def classes(logits, found):
    """Sparse softmax cross entropy, and nothing else."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=found["label_ids"], logits=logits))


def tags(logits, found):
    """BERT-NER's loss."""
    logits = tf.reshape(logits, [-1, LENGTH, 9])
    log_probs = tf.nn.log_softmax(logits, axis=-1)
    tf.argmax(tf.nn.softmax(logits, axis=-1), axis=-1)
    return tf.reduce_mean(-tf.reduce_sum(tf.one_hot(found["tags"], 9) * log_probs, axis=-1))


def crf(logits, found):
    """A linear chain over the tags, by tf.contrib."""
    logits = tf.reshape(logits, [-1, LENGTH, 9])
    lengths = tf.reduce_sum(found["input_mask"], axis=1)
    likelihood, transitions = tf.contrib.crf.crf_log_likelihood(logits, found["tags"], lengths)
    tf.contrib.crf.crf_decode(logits, transitions, lengths)
    return -tf.reduce_mean(likelihood)


def choices(logits, found):
    """BertForMultipleChoice: a row for each choice, softmax over those of one example."""
    logits = tf.reshape(logits, [-1, 2])
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=found["label_ids"][:2], logits=logits))


def nothing(logits, _):
    """The logits alone."""
    return tf.reduce_mean(logits)


def another_dense(hidden):
    """A layer of a fork's own in front of the head."""
    return tf.compat.v1.layers.dense(hidden, 24, activation=tf.nn.relu, name="projection")


def lstm(hidden):
    """A recurrent layer over the hidden states, in front of the head."""
    states = tf.reshape(hidden, [-1, LENGTH, hidden.shape[-1]])
    found, _ = tf.compat.v1.nn.dynamic_rnn(tf.compat.v1.nn.rnn_cell.LSTMCell(12), states, dtype=tf.float32)
    return tf.reshape(found, [-1, 12])


GRAPHS = {
    "encoder": headless,
    "run-classifier": upstream("run_classifier", TRAIN, 3),
    "run-classifier-eval": upstream("run_classifier", EVAL, 3),
    "run-squad": upstream("run_squad", TRAIN),
    "run-squad-predict": upstream("run_squad", PREDICT),
    "run-pretraining": upstream("run_pretraining", TRAIN),
    "run-pretraining-eval": upstream("run_pretraining", EVAL),
    "classes": fork(3, classes),
    "multi-label": fork(3, several_labels),
    "multi-label-loss": fork(3, several_labels_by_loss),
    "regression": fork(1, score),
    "regression-squares": fork(1, score_by_squares),
    "regression-inference": fork(1, lambda logits, _: tf.squeeze(logits, [-1]), training=False),
    "tokens": fork(9, tags, reads="sequence"),
    "tokens-inference": fork(9, tags, reads="sequence", training=False),
    "logits": fork(3, nothing, training=False),
    "crf": fork(9, crf, reads="sequence"),
    "multiple-choice": fork(1, choices),
    "another-dense": fork(3, classes, before=another_dense),
    "lstm": fork(9, tags, reads="sequence", before=lstm),
    "first-token": fork(3, classes, reads="first"),
}


def widen_heads(session, deviation):
    """Make the heads' weights large: run_classifier's begin with so small ones that all answers are nearly alike."""
    for variable in tf.compat.v1.trainable_variables():
        if variable.op.name.endswith("output_weights"):
            value = session.run(variable)
            session.run(variable.initializer, {variable.initial_value: value / value.std() * deviation})


def write(name, build):
    """The graph's checkpoint, with the values that its initialisers draw."""
    folder = OUT / name
    folder.mkdir(parents=True)
    (folder / "bert_config.json").write_text(json.dumps(request["config"]))
    words = [*MARKS, *(f"w{index}" for index in range(request["config"]["vocab_size"] - len(MARKS)))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(request["seed"])
        tf.compat.v1.train.get_or_create_global_step()
        build()
        session.run(tf.compat.v1.global_variables_initializer())
        if "deviation" in request:
            widen_heads(session, request["deviation"])
        tf.compat.v1.train.Saver().save(session, str(folder / "bert_model.ckpt"))


wanted = request.get("names") or list(GRAPHS)
for graph in wanted:
    write(graph, GRAPHS[graph])
json.dump({"made": wanted}, sys.stdout)
