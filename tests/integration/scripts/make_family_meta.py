"""In the tf1 environment: a stand-in for the training graphs of google-research/albert and google-research/electra.

Request: {"out": path of the .meta, "config": of the model, "names": what BERT calls a part of a layer → what the family
does, "embeddings", "layer" (with %d, or one for all), "projection", "pooler", "classes", "length"}. Written from the
papers (arXiv:1909.11942, arXiv:2003.10555) and the names of the published variables. As theirs it stands behind an
input pipeline, has dropout, a loss and an optimizer; dense layers are einsums, and a mask is spread by a product with
ones.
"""

import json
import math
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
tf.logging.set_verbosity(tf.logging.ERROR)
request = json.load(sys.stdin)
CONFIG, NAMES, LENGTH, BATCH = request["config"], request["names"], request["length"], 4
H, HEADS = CONFIG["hidden_size"], CONFIG["num_attention_heads"]


def variable(name, shape):
    return tf.get_variable(name, shape, initializer=tf.zeros_initializer())


def dense(x, scope, width):
    kernel = variable(scope + "/kernel", [int(x.shape[-1]), width])
    return tf.einsum("BFH,HO->BFO", x, kernel) + variable(scope + "/bias", [width])


def norm(x, scope):
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    width = [int(x.shape[-1])]
    beta, gamma = variable(scope + "/beta", width), variable(scope + "/gamma", width)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)


def dropped(x):
    return tf.nn.dropout(x, rate=0.1)


def gelu(x):
    if request["gelu"] == "erf":
        return x * 0.5 * (1.0 + tf.erf(x / math.sqrt(2.0)))
    return x * 0.5 * (1.0 + tf.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * tf.pow(x, 3))))


def attention(x, mask, scope):
    def heads(part):
        found = dense(x, f"{scope}/{NAMES[part]}", H)
        return tf.transpose(tf.reshape(found, [BATCH, LENGTH, HEADS, H // HEADS]), [0, 2, 1, 3])

    query, key, value = (heads("attention/self/" + part) for part in ("query", "key", "value"))
    scores = tf.matmul(query, key, transpose_b=True) * (1.0 / math.sqrt(H // HEADS))
    column = tf.reshape(tf.cast(mask, tf.float32), [BATCH, 1, LENGTH, 1])
    spread = tf.matmul(tf.ones([BATCH, 1, LENGTH, 1]), column, transpose_b=True)
    shares = dropped(tf.nn.softmax(scores + (1.0 - spread) * -10000.0))
    return tf.reshape(tf.transpose(tf.matmul(shares, value), [0, 2, 1, 3]), [BATCH, LENGTH, H])


def layer(x, mask, scope):
    def named(part):
        return f"{scope}/{NAMES[part]}"

    attended = dropped(dense(attention(x, mask, scope), named("attention/output/dense"), H))
    x = norm(attended + x, named("attention/output/LayerNorm"))
    grown = gelu(dense(x, named("intermediate/dense"), CONFIG["intermediate_size"]))
    return norm(dropped(dense(grown, named("output/dense"), H)) + x, named("output/LayerNorm"))


def build():
    rows = {name: np.zeros((8, LENGTH), np.int32) for name in ("input_ids", "input_mask", "segment_ids")}
    rows["labels"] = np.zeros(8, np.int32)
    dataset = tf.data.Dataset.from_tensor_slices(rows).repeat().batch(BATCH, drop_remainder=True)
    fed = tf.data.make_one_shot_iterator(dataset).get_next()
    scope, width = request["embeddings"], CONFIG["embedding_size"]
    words = variable(scope + "/word_embeddings", [CONFIG["vocab_size"], width])
    types = variable(scope + "/token_type_embeddings", [CONFIG["type_vocab_size"], width])
    places = variable(scope + "/position_embeddings", [CONFIG["max_position_embeddings"], width])
    one_hot = tf.one_hot(tf.reshape(fed["segment_ids"], [-1]), CONFIG["type_vocab_size"])
    x = tf.gather(words, fed["input_ids"]) + tf.reshape(tf.matmul(one_hot, types), [BATCH, LENGTH, width])
    x = dropped(norm(x + tf.slice(places, [0, 0], [LENGTH, -1]), scope + "/LayerNorm"))
    x = dense(x, request["projection"], H)
    for number in range(CONFIG["num_hidden_layers"]):
        shared = "%d" not in request["layer"]
        with tf.variable_scope(tf.get_variable_scope(), reuse=shared and number > 0):
            x = layer(x, fed["input_mask"], request["layer"] if shared else request["layer"] % number)
    first = tf.squeeze(x[:, 0:1, :], axis=1)
    if request["pooler"]:
        kernel = variable(request["pooler"] + "/kernel", [H, H])
        first = tf.tanh(tf.matmul(first, kernel) + variable(request["pooler"] + "/bias", [H]))
    classes = request["classes"]
    logits = tf.matmul(first, variable("output_weights", [classes, H]), transpose_b=True)
    logits = tf.nn.bias_add(logits, variable("output_bias", [classes]))
    tf.nn.softmax(logits)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=fed["labels"], logits=logits))
    tf.train.AdamOptimizer().minimize(loss)


with tf.Graph().as_default():
    build()
    tf.train.export_meta_graph(request["out"])
sys.stdout.write("{}\n")
