"""In the tf1 environment: checkpoints and graphs as others make them, with google-research/bert's own code.

Request: {"out": folder, "config": {…}, "seed": …}. Writes below `out`:

    meta_tanh/, meta_erf/   bert_model.ckpt.* with a .meta over placeholders [1, 128], in either form of gelu
    finetuned/              model.ckpt-10 and model.ckpt-20 of a classifier, with optimizer slots and `checkpoint`
    page.pb                 frozen the OpenVINO page's way: features of an input pipeline, batch free, 128 tokens
    page_permuted.pb        the same with features whose names put segments first, the mask fourth and the words last
    not_frozen.pb           the graph of page.pb with its variables
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf
from bert import modeling, optimization

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
request = json.load(sys.stdin)
OUT, LENGTH, LABELS = Path(request["out"]), 128, 3
PAGE = {
    "input_ids": "input_ids",
    "input_mask": "input_mask",
    "is_real_example": "is_real_example",
    "label_ids": "label_ids",
    "segment_ids": "segment_ids",
}
PERMUTED = {
    "a_token_types": "segment_ids",
    "b_is_real_example": "is_real_example",
    "c_label_ids": "label_ids",
    "d_attend_to": "input_mask",
    "e_words": "input_ids",
}


def gelu_erf(x):
    """The exact gelu."""
    return 0.5 * x * (1.0 + tf.erf(x / tf.sqrt(2.0)))


def bert_config(gelu):
    """The configuration; `gelu` other than "erf" is modeling.py's own, by tanh."""
    config = modeling.BertConfig.from_dict(request["config"])
    if gelu == "erf":
        config.hidden_act = gelu_erf
    return config


def folder(name):
    """A new folder with bert_config.json and vocab.txt."""
    path = OUT / name
    path.mkdir()
    (path / "bert_config.json").write_text(json.dumps(request["config"]))
    (path / "vocab.txt").write_text("".join(f"w{index}\n" for index in range(request["config"]["vocab_size"])))
    return path


def randomise(session):
    """Give every variable values large enough that gelu's two forms are told apart."""
    chance = np.random.RandomState(request["seed"])
    for variable in sorted(tf.compat.v1.trainable_variables(), key=lambda variable: variable.op.name):
        value = chance.standard_normal(variable.shape.as_list()) * 0.25
        if variable.op.name.endswith("gamma"):
            value += 1.0
        session.run(variable.initializer, {variable.initial_value: value.astype(np.float32)})


def with_meta(name, gelu):
    """A checkpoint of an inference graph, as Google's archives hold them."""
    path = folder(name)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        feeds = [tf.compat.v1.placeholder(tf.int32, [1, LENGTH]) for _ in range(3)]
        modeling.BertModel(bert_config(gelu), False, *feeds)
        randomise(session)
        tf.compat.v1.train.Saver().save(session, str(path / "bert_model.ckpt"))
    (path / "checkpoint").unlink()


def features(names, iterator):
    """One batch of an input pipeline: role → tensor, as the features' sorted names number the iterator's ports."""
    chance = np.random.RandomState(7)
    rows = {
        "input_ids": chance.randint(0, request["config"]["vocab_size"], (8, LENGTH)).astype(np.int32),
        "input_mask": np.ones((8, LENGTH), np.int32),
        "segment_ids": np.zeros((8, LENGTH), np.int32),
        "label_ids": np.arange(8, dtype=np.int32) % LABELS,
        "is_real_example": np.ones(8, np.int32),
    }
    dataset = tf.data.Dataset.from_tensor_slices({name: rows[role] for name, role in names.items()}).repeat().batch(4)
    batch = iterator(dataset)
    return {role: batch[name] for name, role in names.items()}


def classifier(found, *, training, gelu="tanh"):
    """run_classifier.py's create_model: loss and probabilities."""
    model = modeling.BertModel(
        bert_config(gelu), training, found["input_ids"], found["input_mask"], found["segment_ids"]
    )
    pooled = model.get_pooled_output()
    weights = tf.compat.v1.get_variable("output_weights", [LABELS, pooled.shape[-1]])
    bias = tf.compat.v1.get_variable("output_bias", [LABELS])
    with tf.compat.v1.variable_scope("loss"):
        logits = tf.nn.bias_add(tf.matmul(pooled, weights, transpose_b=True), bias)
        tf.nn.softmax(logits, axis=-1)
        one_hot = tf.one_hot(found["label_ids"], LABELS)
        return tf.reduce_mean(-tf.reduce_sum(one_hot * tf.nn.log_softmax(logits), axis=-1))


def finetuned():
    """Two checkpoints of a training run."""
    path = folder("finetuned")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        step = tf.compat.v1.train.get_or_create_global_step()
        found = features(PAGE, lambda dataset: tf.compat.v1.data.make_one_shot_iterator(dataset).get_next())
        loss = classifier(found, training=True)
        train = optimization.create_optimizer(loss, 1e-3, 20, 0, use_tpu=False)
        session.run(tf.compat.v1.global_variables_initializer())
        randomise(session)
        saver = tf.compat.v1.train.Saver()
        for number in range(1, 21):
            session.run(train)
            if number % 10 == 0:
                assert session.run(step) == number
                saver.save(session, str(path / "model.ckpt"), global_step=number)


def initializable(dataset):
    """As an Estimator does it."""
    return tf.compat.v1.data.make_initializable_iterator(dataset).get_next()


def page(name, names, iterator):
    """Frozen with the lines of the OpenVINO page."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        classifier(features(names, iterator), training=False)
        session.run(tf.compat.v1.global_variables_initializer())
        randomise(session)
        if name == "page":
            (OUT / "not_frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
        frozen = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["bert/pooler/dense/Tanh"]
        )
        (OUT / f"{name}.pb").write_bytes(frozen.SerializeToString())


with_meta("meta_tanh", "tanh")
with_meta("meta_erf", "erf")
finetuned()
page("page", PAGE, initializable)
page("page_permuted", PERMUTED, lambda dataset: tf.compat.v1.data.make_one_shot_iterator(dataset).get_next())
json.dump({"made": sorted(path.name for path in OUT.iterdir())}, sys.stdout)
