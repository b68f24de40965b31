"""The heads of `_inference_graph`: each a function of the graph and the head it was told of.

They compute what google-research/bert's run_classifier.py, run_squad.py and run_pretraining.py compute, under the names
of those scripts; `_upstream_heads` is those scripts' own arithmetic, which the gate compares with.
"""

from bertbuild.heads import masked_lm
from stages import _outputs
from stages._tensorflow import tf


def given(graph, source):
    """What the heads answer: what --output calls it → function without arguments → float32 tensor.

    Args:
        graph: an `_inference_graph.InferenceGraph`.
        source: a `_source.Model`, whose heads they are.

    Raises:
        StageInputError: a kind of head that is not known here, or a shape that is none of it.
    """
    answers = {}
    for head in source.heads:
        columns = _outputs.columns(head, source, BUILDERS)
        answers.update(BUILDERS[head.kind](graph, head, columns))
    return answers


def _classifier(graph, head, columns):
    logits = _logits(graph, head, columns, graph.pooled)
    return {"logits": lambda: logits, "probabilities": lambda: tf.nn.softmax(logits, axis=-1)}


def _multi_label(graph, head, columns):
    logits = _logits(graph, head, columns, graph.pooled)
    return {"logits": lambda: logits, "probabilities": lambda: tf.sigmoid(logits)}


def _regression(graph, head, columns):
    logits = _logits(graph, head, columns, graph.pooled)
    return {"score": lambda: tf.squeeze(logits, axis=-1)}


def _tokens(graph, head, columns):
    logits = graph.by_position(_logits(graph, head, columns, graph.hidden))
    return {"logits": lambda: logits, "probabilities": lambda: tf.nn.softmax(logits, axis=-1)}


def _span(graph, head, columns):
    start, end = tf.unstack(graph.by_position(_logits(graph, head, columns, graph.hidden, "")), num=2, axis=-1)
    return {"start_logits": lambda: start, "end_logits": lambda: end}


def _masked_lm(graph, head, columns):
    hidden = graph.dense(graph.hidden, masked_lm.DENSE, graph.width, graph.activation)
    hidden = graph.layer_norm(hidden, masked_lm.LAYER_NORM)
    logits = graph.by_position(_logits(graph, head, columns, hidden, masked_lm.SCOPE))
    return {"masked-lm-logits": lambda: logits}


def _next_sentence(graph, head, columns):
    logits = _logits(graph, head, columns, graph.pooled, "")
    return {"next-sentence-logits": lambda: logits}


def _logits(graph, head, columns, inputs, scope="loss/"):
    """The head's last layer: [N, H] → [N, columns]."""
    weights = graph.weight(head.weights, [columns, graph.width])
    bias = graph.weight(head.bias, [columns])
    with tf.name_scope(scope):
        return tf.nn.bias_add(tf.matmul(inputs, weights, transpose_b=True), bias)


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
