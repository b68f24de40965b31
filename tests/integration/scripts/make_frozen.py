"""In the tf1 environment: graphs frozen with the heads that people put on a BERT of google-research/bert's own code.

Request: {"out": folder, "config": {…}, "seed": …}. Writes below `out`, each frozen for the outputs that it is named by:

    pooled_softmax.pb   pooled output and probabilities of run_classifier's head
    pooled_span.pb      pooled output, and `unstack` of run_squad's head, whose two ports are the ends of a span
    softmax_argmax.pb   probabilities, and the class
    sigmoid.pb          probabilities of labels that do not exclude each other
    logits.pb           loss/BiasAdd
    squeeze.pb          one number for each row, its last axis squeezed away
    mean.pb             the mean of the hidden states that are not padding
    tokens.pb           probabilities of a class for each position, and the class
    two_heads.pb        two classifiers, `first/Softmax` and `second/Softmax`
    fixed.pb            run_classifier's head over placeholders [2, 32]
    half.pb             run_classifier's head, every float a float16
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
OUT, LABELS = Path(request["out"]), 3
POOLED = "bert/pooler/dense/Tanh"


def bert(shape=(None, None)):
    """modeling.py's model over placeholders that do not help."""
    feeds = [tf.compat.v1.placeholder(tf.int32, shape) for _ in range(3)]
    return modeling.BertModel(modeling.BertConfig.from_dict(request["config"]), False, *feeds), feeds


def dense(inputs, width, scope):
    """A head's layer, as run_classifier and run_squad write it."""
    weights = tf.compat.v1.get_variable(scope + "_weights", [width, inputs.shape[-1]])
    bias = tf.compat.v1.get_variable(scope + "_bias", [width])
    return tf.nn.bias_add(tf.matmul(inputs, weights, transpose_b=True), bias)


def logits(model, width=LABELS, scope="output"):
    """run_classifier's logits."""
    with tf.compat.v1.variable_scope("loss"):
        return dense(model.get_pooled_output(), width, scope)


def of_positions(model, width):
    """Logits [B, S, width], by way of two dimensions as in run_squad."""
    hidden = model.get_sequence_output()
    batch, length, size = modeling.get_shape_list(hidden)
    flat = dense(tf.reshape(hidden, [batch * length, size]), width, "cls/squad/output")
    return tf.reshape(flat, [batch, length, width])


def frozen(name, make, *outputs, shape=(None, None)):
    """Build, give every variable a value, freeze for these nodes."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        make(*bert(shape))
        chance = np.random.RandomState(request["seed"])
        for variable in tf.compat.v1.global_variables():
            value = chance.standard_normal(variable.shape.as_list()) * 0.25 + variable.op.name.endswith("gamma")
            session.run(variable.initializer, {variable.initial_value: value.astype(np.float32)})
        graph_def = tf.compat.v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), list(outputs))
    if name == "half":
        halve(graph_def)
    (OUT / (name + ".pb")).write_bytes(graph_def.SerializeToString())


def halve(graph_def):
    """Every float32 of a graph made a float16, as tools do that halve frozen graphs."""
    single, half = tf.float32.as_datatype_enum, tf.float16.as_datatype_enum
    for node in graph_def.node:
        for key in node.attr:
            if node.attr[key].type == single:
                node.attr[key].type = half
        if node.op == "Const" and node.attr["value"].tensor.dtype == single:
            array = tf.make_ndarray(node.attr["value"].tensor).astype(np.float16)
            node.attr["value"].tensor.CopyFrom(tf.compat.v1.make_tensor_proto(array))


def span(model, _feeds):
    tf.unstack(tf.transpose(of_positions(model, 2), [2, 0, 1]), axis=0, name="unstack")


def mean(model, feeds):
    mask = tf.cast(tf.expand_dims(feeds[1], -1), tf.float32)
    total = tf.reduce_sum(model.get_sequence_output() * mask, axis=1)
    tf.identity(total / tf.reduce_sum(mask, axis=1), name="mean")


def softmax_and_class(model, _feeds):
    found = tf.nn.softmax(logits(model), axis=-1, name="probabilities")
    tf.argmax(found, axis=-1, name="class")


def tokens(model, _feeds):
    found = of_positions(model, LABELS)
    tf.nn.softmax(found, axis=-1, name="softmax")
    tf.argmax(found, axis=-1, name="class", output_type=tf.int32)


def two_heads(model, _feeds):
    for scope in ("first", "second"):
        tf.nn.softmax(logits(model, scope=scope), name=scope + "/Softmax")


def classifier(model, _feeds):
    with tf.compat.v1.variable_scope("loss"):
        tf.nn.softmax(dense(model.get_pooled_output(), LABELS, "output"), axis=-1)


frozen("pooled_softmax", classifier, POOLED, "loss/Softmax")
frozen("pooled_span", span, POOLED, "unstack")
frozen("softmax_argmax", softmax_and_class, "probabilities", "class")
frozen("sigmoid", lambda model, _: tf.sigmoid(logits(model), name="sigmoid"), "sigmoid")
frozen("logits", lambda model, _: logits(model), "loss/BiasAdd")
frozen("squeeze", lambda model, _: tf.squeeze(logits(model, 1), axis=-1, name="score"), "score")
frozen("mean", mean, "mean")
frozen("tokens", tokens, "softmax", "class")
frozen("two_heads", two_heads, "first/Softmax", "second/Softmax")
frozen("fixed", classifier, "loss/Softmax", shape=[2, 32])
frozen("half", classifier, "loss/Softmax")
json.dump({"made": sorted(path.name for path in OUT.iterdir())}, sys.stdout)
