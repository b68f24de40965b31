"""The heads of google-research/bert's scripts over modeling.py's own graph: the reference of what is built.

Each computes what its script does, in that script's order and under its names (eedf5716): run_classifier.create_model,
run_squad.create_model, run_pretraining.get_masked_lm_output (over all positions) and get_next_sentence_output. Heads
those scripts do not have follow their kin: multi-label is a classifier with a sigmoid for the softmax, regression one
without any (as run_classifier.py of XLNet and ALBERT has it for STS-B), tokens a dense layer over each hidden state, as
BERT-NER has it.
"""

from bertbuild.heads import masked_lm
from stages import _outputs
from stages._tensorflow import modeling, tf


def given(model, config, source):
    """What the heads answer: what --output calls it → function without arguments → float32 tensor.

    Args:
        model: a modeling.BertModel.
        config: its modeling.BertConfig, the activation a function.
        source: a `_source.Model`, whose heads they are.

    Raises:
        StageInputError: a kind of head that is not known here, or a shape that is none of it.
    """
    answers = {}
    for head in source.heads:
        columns = _outputs.columns(head, source, BUILDERS)
        answers.update(BUILDERS[head.kind](model, config, head, columns))
    return answers


def _of_pooled(model, head, columns):
    """run_classifier.create_model up to its logits: loss/MatMul, loss/BiasAdd."""
    output_layer = model.get_pooled_output()
    output_weights, output_bias = _variables(head, columns, output_layer)
    with tf.compat.v1.variable_scope("loss"):
        return tf.nn.bias_add(tf.matmul(output_layer, output_weights, transpose_b=True), output_bias)


def _classifier(model, _config, head, columns):
    logits = _of_pooled(model, head, columns)

    def probabilities():
        with tf.name_scope("loss/"):  # loss/Softmax
            return tf.nn.softmax(logits, axis=-1)

    return {"logits": lambda: logits, "probabilities": probabilities}


def _multi_label(model, _config, head, columns):
    logits = _of_pooled(model, head, columns)

    def probabilities():
        with tf.name_scope("loss/"):
            return tf.nn.sigmoid(logits)

    return {"logits": lambda: logits, "probabilities": probabilities}


def _regression(model, _config, head, columns):
    logits = _of_pooled(model, head, columns)
    return {"score": lambda: tf.squeeze(logits, [-1])}


def _of_positions(model, head, columns):
    """run_squad.create_model up to its logits, [B, S, columns]."""
    final_hidden = model.get_sequence_output()
    batch_size, seq_length, hidden_size = modeling.get_shape_list(final_hidden, expected_rank=3)
    output_weights, output_bias = _variables(head, columns, final_hidden)
    final_hidden_matrix = tf.reshape(final_hidden, [batch_size * seq_length, hidden_size])
    logits = tf.matmul(final_hidden_matrix, output_weights, transpose_b=True)
    logits = tf.nn.bias_add(logits, output_bias)
    return tf.reshape(logits, [batch_size, seq_length, columns])


def _tokens(model, _config, head, columns):
    logits = _of_positions(model, head, columns)
    return {"logits": lambda: logits, "probabilities": lambda: tf.nn.softmax(logits, axis=-1)}


def _span(model, _config, head, columns):
    unstacked_logits = tf.unstack(tf.transpose(_of_positions(model, head, columns), [2, 0, 1]), axis=0)
    return {"start_logits": lambda: unstacked_logits[0], "end_logits": lambda: unstacked_logits[1]}


def _masked_lm(model, config, head, columns):
    sequence = model.get_sequence_output()
    batch_size, seq_length, hidden_size = modeling.get_shape_list(sequence, expected_rank=3)
    table = model.get_embedding_table()
    input_tensor = tf.reshape(sequence, [batch_size * seq_length, hidden_size])
    scope = masked_lm.SCOPE.rstrip("/")
    with tf.compat.v1.variable_scope(scope), tf.compat.v1.variable_scope("transform"):
        input_tensor = modeling.tf.layers.dense(input_tensor, units=hidden_size, activation=config.hidden_act)
        input_tensor = modeling.layer_norm(input_tensor)
    tied = head.weights == table.op.name
    output_weights, output_bias = _variables(head, columns, sequence, table if tied else None)
    with tf.name_scope(masked_lm.SCOPE):
        logits = tf.nn.bias_add(tf.matmul(input_tensor, output_weights, transpose_b=True), output_bias)
    return {"masked-lm-logits": lambda: tf.reshape(logits, [batch_size, seq_length, columns])}


def _next_sentence(model, _config, head, columns):
    input_tensor = model.get_pooled_output()
    output_weights, output_bias = _variables(head, columns, input_tensor)
    logits = tf.nn.bias_add(tf.matmul(input_tensor, output_weights, transpose_b=True), output_bias)
    return {"next-sentence-logits": lambda: logits}


def _variables(head, columns, hidden, weights=None):
    """The weights [columns, H], which may be there already, and the bias [columns], under the checkpoint's names."""
    if weights is None:
        weights = tf.compat.v1.get_variable(head.weights, [columns, hidden.shape[-1]])
    return weights, tf.compat.v1.get_variable(head.bias, [columns])


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
