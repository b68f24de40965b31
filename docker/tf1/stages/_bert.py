"""modeling.py's own graph (package bert-tensorflow), built as it is, with the activation handed in.

Its layer norm is tf.contrib's, which has its epsilon built in; it is replaced for a model with another one, and in
TensorFlow 2, which has no tf.contrib.
"""

from stages import _outputs, _signature, _source, _upstream_heads
from stages._tensorflow import V1_MODE, modeling, tf


def build(source, gelu, inputs, outputs):
    """Build modeling.py's own graph in the default graph.

    Args:
        source: a `_source.Model`, whose config and heads the graph has.
        gelu: "erf", "tanh", or None where the config's activation is another.
        inputs: int32 tensors [B, S]: input ids, input mask, segment ids.
        outputs: what --output calls them.

    Returns:
        tensor name → float32 tensor.

    Raises:
        StageInputError: the model does not give one of the outputs.
    """
    config = bert_config(source.config, gelu)
    model = modeling.BertModel(config, False, *inputs)
    given = {
        _outputs.POOLED: model.get_pooled_output,
        _outputs.SEQUENCE: model.get_sequence_output,
        _outputs.ALL_LAYERS: model.get_all_encoder_layers,
    }
    given.update(_upstream_heads.given(model, config, source))
    return _signature.ends(_outputs.select(outputs, given))


def bert_config(config, gelu):
    """A `_source.Config` as modeling.py's own, with the activation as a function, which modeling.py takes as it is.

    modeling.py computes with the config's epsilon from here on.
    """
    if V1_MODE or config.epsilon != _source.EPSILON:
        modeling.layer_norm = _layer_norm(config.epsilon)
    theirs = modeling.BertConfig.from_dict(config.values)
    theirs.hidden_act = config.activation(gelu)
    return theirs


def _layer_norm(epsilon):
    """modeling.py's layer_norm with an epsilon: the same variables, operators and names of both."""

    def layer_norm(input_tensor, name=None):
        with tf.compat.v1.variable_scope(name, "LayerNorm", [input_tensor]):
            width = input_tensor.shape.as_list()[-1:]
            beta = tf.compat.v1.get_variable("beta", width, initializer=tf.compat.v1.zeros_initializer())
            gamma = tf.compat.v1.get_variable("gamma", width, initializer=tf.compat.v1.ones_initializer())
            mean, variance = tf.compat.v1.nn.moments(input_tensor, [input_tensor.shape.ndims - 1], keepdims=True)
            return tf.nn.batch_normalization(input_tensor, mean, variance, beta, gamma, epsilon)

    return layer_norm
