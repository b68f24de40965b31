"""BERT's forward pass as a converter likes it: every shape computed once, weights as plain inputs, nothing of training.

It computes what google-research/bert's modeling.py computes, operator by operator and under its names
(`bert/encoder/layer_0/attention/self/query/MatMul`, …, `bert/pooler/dense/Tanh`), in the two-dimensional form of that
repository. Built by modeling.py itself, a 12-layer graph has 5,400 nodes, most of them shapes worked out again and
again, and takes TensorFlow and OpenVINO several times as long to read. That the two answer alike is not taken on trust:
the parity gate compares every target with modeling.py's graph.
"""

import math

from bertbuild.families import bert
from stages import _inference_heads, _outputs
from stages._tensorflow import tf

MASKED_OUT = -10000.0  # modeling.py, attention_layer


class InferenceGraph(object):
    """Builds the graph in the default graph.

    Attributes:
        weights: variable name → placeholder of its shape, to be replaced by its value.
        layers: the encoder's layers, float32 [B, S, H] each.
        hidden: the last of them, [B·S, H].
        pooled: float32 [B, H].
        activation: the activation function of the intermediate layers, None for none.
        width: H.
    """

    def __init__(self, config, activation, input_ids, input_mask, segment_ids):
        self.weights = {}
        self._config = config
        self.activation = activation
        self.width = config.hidden_size
        with tf.name_scope("bert"):
            with tf.name_scope("embeddings"):
                batch, length = tf.unstack(tf.shape(input_ids), num=2)
                embedded = self._embed(input_ids, segment_ids, length)
            with tf.name_scope("encoder"):
                self._shapes = Shapes(config, batch, length)
                self.layers = self._encode(embedded, self._adder(input_mask, batch, length), self._shapes)
            with tf.name_scope("pooler"):
                first = tf.squeeze(self.layers[-1][:, 0:1, :], axis=1)
                self.pooled = self.dense(first, bert.POOLER_DENSE, config.hidden_size, tf.tanh)

    def given(self, source):
        """What the model gives, as `_outputs.select` takes it; `source` is a `_source.Model`, whose heads it has."""
        own = {
            _outputs.POOLED: lambda: self.pooled,
            _outputs.SEQUENCE: lambda: self.layers[-1],
            _outputs.ALL_LAYERS: lambda: self.layers,
        }
        return dict(own, **_inference_heads.given(self, source))

    def weight(self, name, shape):
        """Stand-in for a variable of the checkpoint: of each there is one."""
        if name not in self.weights:
            with tf.name_scope(None):
                self.weights[name] = tf.compat.v1.placeholder(tf.float32, shape, name=name)
        return self.weights[name]

    def by_position(self, values):
        """[B·S, N] → [B, S, N]."""
        return tf.reshape(values, self._shapes.by_position(values.shape[-1]))

    def _embed(self, input_ids, segment_ids, length):
        config, width = self._config, self._config.hidden_size
        words = self.weight(bert.WORD_EMBEDDINGS, [config.vocab_size, width])
        types = self.weight(bert.TOKEN_TYPE_EMBEDDINGS, [config.type_vocab_size, width])
        positions = self.weight(bert.POSITION_EMBEDDINGS, [config.max_position_embeddings, width])
        # An id beyond the token types picks nothing, as in modeling.py; a gather would fail.
        one_hot = tf.one_hot(tf.reshape(segment_ids, [-1]), config.type_vocab_size)
        embedded = tf.gather(words, input_ids)
        embedded += tf.reshape(tf.matmul(one_hot, types), tf.shape(embedded))
        embedded += tf.slice(positions, [0, 0], tf.stack([length, -1]))
        return self.layer_norm(tf.reshape(embedded, [-1, width]), bert.EMBEDDINGS + "/LayerNorm")

    def _adder(self, input_mask, batch, length):
        mask = tf.cast(tf.reshape(input_mask, tf.stack([batch, 1, 1, length])), tf.float32)
        return (1.0 - mask) * MASKED_OUT

    def _encode(self, hidden, adder, shapes):
        config = self._config
        layers = []
        for index in range(config.num_hidden_layers):
            scope = bert.LAYER % index
            attended = self._attend(hidden, adder, shapes, scope + "/attention/self")
            attended = self.dense(attended, scope + "/attention/output/dense", config.hidden_size)
            attended = self._add_and_norm(attended, hidden, scope + "/attention/output")
            grown = self.dense(attended, scope + "/intermediate/dense", config.intermediate_size, self.activation)
            hidden = self.dense(grown, scope + "/output/dense", config.hidden_size)
            hidden = self._add_and_norm(hidden, attended, scope + "/output")
            layers.append(tf.reshape(hidden, shapes.sequence))
        self.hidden = hidden
        return layers

    def _attend(self, hidden, adder, shapes, scope):
        """Self-attention: [B·S, H] → [B·S, H]."""
        config = self._config
        query, key, value = [
            tf.transpose(
                tf.reshape(self.dense(hidden, "%s/%s" % (scope, name), config.hidden_size), shapes.heads), [0, 2, 1, 3]
            )
            for name in ("query", "key", "value")
        ]
        with tf.name_scope(scope + "/"):
            scores = tf.matmul(query, key, transpose_b=True)
            scores = tf.multiply(scores, 1.0 / math.sqrt(config.hidden_size // config.num_attention_heads))
            context = tf.matmul(tf.nn.softmax(scores + adder), value)
            return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, config.hidden_size])

    def dense(self, inputs, scope, width, activation=None):
        """A dense layer under the checkpoint's names: [N, …] → [N, width]."""
        kernel = self.weight(scope + "/kernel", [inputs.shape[-1], width])
        bias = self.weight(scope + "/bias", [width])
        with tf.name_scope(scope + "/"):
            result = tf.nn.bias_add(tf.matmul(inputs, kernel), bias)
            return result if activation is None else activation(result)

    def _add_and_norm(self, left, right, scope):
        with tf.name_scope(scope + "/"):
            total = left + right
        return self.layer_norm(total, scope + "/LayerNorm")

    def layer_norm(self, inputs, scope):
        """A layer norm under the checkpoint's names, over the last axis: [N, H] → [N, H]."""
        beta = self.weight(scope + "/beta", [self._config.hidden_size])
        gamma = self.weight(scope + "/gamma", [self._config.hidden_size])
        with tf.name_scope(scope + "/"):
            mean, variance = tf.nn.moments(inputs, [-1], keep_dims=True)
            return tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, self._config.epsilon)


class Shapes(object):
    """The two run-time shapes of the encoder: `heads` [B, S, heads, head size] and `sequence` [B, S, H]."""

    def __init__(self, config, batch, length):
        size = config.hidden_size // config.num_attention_heads
        self._batch, self._length = batch, length
        self.heads = tf.stack([batch, length, config.num_attention_heads, size])
        self.sequence = self.by_position(config.hidden_size)

    def by_position(self, width):
        """[B, S, width]."""
        return tf.stack([self._batch, self._length, width])
