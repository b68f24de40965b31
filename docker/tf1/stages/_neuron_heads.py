"""The heads of `_neuron_graph`: their layers on the device, what makes answers of those on the host.

The masked LM's transform is on the device, its product with the vocabulary on the host. The host has that table
anyway, to look up the embeddings; the device would hold it once more, in its executable, and hand back [B, S, V] in the
place of [B, S, H]: for 30,522 words and a base-size model 40 times as much. And neuron-cc is on record with steps
of 32,767 elements at most (aws-neuron-sdk, issues 280 and 284), which a row of logits of a multilingual vocabulary is
longer than.
"""

import tensorflow as tf

from bertbuild.heads import masked_lm
from stages import _outputs

OF_POSITIONS = frozenset(["tokens", "span", "masked-lm"])
"""The heads that read every position; the others read the pooled output."""


def given(graph, heads, source):
    """What the heads answer: what --output calls it → function without arguments → float32 tensor.

    Args:
        graph: a `_neuron_graph.NeuronGraph`.
        heads: `bertbuild.heads.found.FoundHead`s.
        source: a `_source.Model`, for the shapes of their weights.

    Raises:
        StageInputError: a kind of head that is not known here, or a shape that is none of it.
    """
    answers = {}
    for head in heads:
        _outputs.columns(head, source, BUILDERS)
        answers.update(BUILDERS[head.kind](graph, head))
    return answers


def _classifier(graph, head):
    logits = graph.device_output("logits", _last_layer(graph, head, graph.pooled))
    return {"logits": lambda: logits, "probabilities": lambda: tf.nn.softmax(logits)}


def _multi_label(graph, head):
    logits = graph.device_output("logits", _last_layer(graph, head, graph.pooled))
    return {"logits": lambda: logits, "probabilities": lambda: tf.sigmoid(logits)}


def _regression(graph, head):
    score = graph.device_output("score", _last_layer(graph, head, graph.pooled))
    return {"score": lambda: tf.squeeze(score, [1])}


def _next_sentence(graph, head):
    logits = graph.device_output("next_sentence_logits", _last_layer(graph, head, graph.pooled))
    return {"next-sentence-logits": lambda: logits}


def _tokens(graph, head):
    logits = graph.device_output("logits", graph.by_position(_last_layer(graph, head, graph.hidden)))
    return {"logits": lambda: logits, "probabilities": lambda: tf.nn.softmax(logits)}


def _span(graph, head):
    both = graph.device_output("span_logits", graph.by_position(_last_layer(graph, head, graph.hidden)))
    start, end = tf.unstack(both, axis=2)
    return {"start_logits": lambda: start, "end_logits": lambda: end}


def _masked_lm(graph, head):
    made = graph.layers.dense(graph.hidden, masked_lm.DENSE, graph.activation.factor)
    with tf.name_scope(masked_lm.DENSE + "/"):
        made = graph.activation.function(made)
    made = graph.layers.normed(made, masked_lm.LAYER_NORM)
    made = graph.device_output("masked_lm_hidden", graph.by_position(made))
    table = graph.words
    if head.weights != masked_lm.TIED_WEIGHTS:
        table = graph.layers.weight(head.weights, dtype=tf.float32)
    bias = graph.layers.weight(head.bias, dtype=tf.float32)
    with tf.name_scope(masked_lm.SCOPE):
        rows = tf.reshape(made, [-1, made.shape[-1]])
        logits = graph.by_position(tf.nn.bias_add(tf.matmul(rows, table, transpose_b=True), bias))
    return {"masked-lm-logits": lambda: logits}


def _last_layer(graph, head, inputs):
    with tf.name_scope("loss/"):
        return graph.layers.turned(inputs, head.weights, head.bias)


BUILDERS = {
    "classifier": _classifier,
    "multi-label": _multi_label,
    "regression": _regression,
    "tokens": _tokens,
    "span": _span,
    "masked-lm": _masked_lm,
    "next-sentence": _next_sentence,
}
"""What computes each kind of head."""
