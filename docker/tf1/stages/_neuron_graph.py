"""BERT as the Neuron compiler likes it: a host part, and a device part behind one boundary.

The host part looks up the embeddings, normalises them and turns the mask into a bias; encoder, pooler and head are the
device part. It is what the appendix of AWS's BERT demo describes, for any size of model: every shape but the batch is a
constant, so that over inputs of a fixed batch no shape is left to the run time; the bias is computed once; weights and
the products they enter are of `dtype`, layer norms of float32. Functionally it is google-research/bert's modeling.py:
the factor 1/√(head size) of the attention scores is in the query's weights, a gelu's factor ½ in the weights before it,
and where nobody asks for the sequence, the last layer is computed for the first position only.
"""

import math

import numpy as np
import tensorflow as tf

from bertbuild.families import bert
from bertbuild.heads import classifier, pooled, sequence

MASKED_OUT = -10000.0  # modeling.py, attention_layer; a float16 holds it
WEIGHTS_AT_ONCE = 16  # about those of one layer
EMBEDDINGS, MASK_BIAS = "embeddings", "mask_bias"


class NeuronGraph(object):
    """Builds the graph in the default graph.

    Attributes:
        outputs: output name → float32 tensor (pooled_output [B, H], sequence_output [B, S, H], probabilities [B, C]).
        device_inputs: embeddings [B, S, H] and mask_bias [B, 1, 1, S], of `dtype`, by name.
        device_outputs: pooled_output, sequence_output, logits [B, C], of `dtype`, by name.
        weights: tf.Variable → function without arguments that gives its value as a NumPy array.
    """

    def __init__(self, source, activation, dtype, seq_len, wanted, inputs):
        """Build it.

        Args:
            source: config and tensor(name) of the model, as `_source.Source` has them.
            activation: a `_source.Activation`.
            dtype: tf.float16 or tf.float32, of the device part.
            seq_len: S.
            wanted: some of "pooled", "sequence", "probabilities".
            inputs: int32 tensors [B, S]: input ids, input mask, segment ids.
        """
        self.weights = {}
        self._source = source
        self._config = source.config
        self._activation = activation
        self._dtype = dtype
        self._seq_len = seq_len
        input_ids, input_mask, segment_ids = inputs
        self.device_inputs = {
            EMBEDDINGS: _boundary(EMBEDDINGS, tf.cast(self._embed(input_ids, segment_ids), dtype)),
            MASK_BIAS: _boundary(MASK_BIAS, self._mask_bias(input_mask)),
        }
        hidden = self._encode(*self.device_inputs.values(), first_only=sequence.OUTPUT not in wanted)
        self.device_outputs = {}
        self.outputs = {}
        if sequence.OUTPUT in wanted:
            self._give(sequence.TENSOR, tf.reshape(hidden, [-1, seq_len, self._config.hidden_size]))
            hidden = self._first(hidden)
        if pooled.OUTPUT in wanted or classifier.OUTPUT in wanted:
            first = self._pool(hidden)
            if pooled.OUTPUT in wanted:
                self._give(pooled.TENSOR, first)
            if classifier.OUTPUT in wanted:
                self._classify(first)

    def load(self, session):
        """Give the variables their values, a few at a time: what is fed is held twice, and each run costs 20 ms."""
        weights = list(self.weights.items())
        for start in range(0, len(weights), WEIGHTS_AT_ONCE):
            group = weights[start : start + WEIGHTS_AT_ONCE]
            values = {variable.initial_value: value() for variable, value in group}
            session.run([variable.initializer for variable, _ in group], values)

    def _give(self, name, tensor):
        """Make a tensor of the device part an output of the model, in float32."""
        self.device_outputs[name] = boundary = _boundary(name, tensor)
        with tf.name_scope(None):
            if boundary.dtype == tf.float32:
                self.outputs[name] = tf.identity(boundary, name)
            else:
                self.outputs[name] = tf.cast(boundary, tf.float32, name)

    def _pool(self, first):
        with tf.name_scope(bert.POOLER_SCOPE):
            return tf.tanh(self._dense(first, bert.POOLER_DENSE))

    def _classify(self, first):
        kernel = self._weight(classifier.WEIGHTS, change=np.transpose, name=classifier.WEIGHTS + "_transposed")
        bias = self._weight(classifier.BIAS)
        with tf.name_scope("loss/"):
            logits = tf.nn.bias_add(tf.matmul(first, kernel), bias)
        self.device_outputs["logits"] = boundary = _boundary("logits", logits)
        with tf.name_scope(None):
            self.outputs[classifier.TENSOR] = tf.nn.softmax(tf.cast(boundary, tf.float32), name=classifier.TENSOR)

    def _embed(self, input_ids, segment_ids):
        scope, width = bert.EMBEDDINGS, self._config.hidden_size
        words = self._weight(scope + "/word_embeddings", dtype=tf.float32)
        types = self._weight(scope + "/token_type_embeddings", dtype=tf.float32)
        positions = self._weight(
            scope + "/position_embeddings", change=lambda value: value[: self._seq_len], dtype=tf.float32
        )
        with tf.name_scope(scope + "/"):
            # An id beyond the token types picks nothing, as in modeling.py; a gather would fail.
            one_hot = tf.one_hot(tf.reshape(segment_ids, [-1]), self._config.type_vocab_size)
            picked = tf.reshape(tf.matmul(one_hot, types), [-1, self._seq_len, width])
            embedded = tf.gather(words, input_ids) + picked + positions
        return self._layer_norm(embedded, scope + "/LayerNorm")

    def _mask_bias(self, input_mask):
        with tf.name_scope(bert.ENCODER):
            mask = tf.cast(tf.reshape(input_mask, [-1, 1, 1, self._seq_len]), tf.float32)
            return tf.cast((1.0 - mask) * MASKED_OUT, self._dtype)

    def _encode(self, embeddings, mask_bias, first_only):
        """[B, S, H] → [B·S, H]; [B, H], the first position of each sequence, with `first_only`."""
        config = self._config
        hidden = tf.reshape(embeddings, [-1, config.hidden_size])
        for index in range(config.num_hidden_layers):
            scope = bert.LAYER % index
            is_last = index == config.num_hidden_layers - 1
            asked = self._first(hidden) if is_last and first_only else hidden
            attended = self._attend(asked, hidden, mask_bias, scope + "/attention/self")
            attended = self._dense(attended, scope + "/attention/output/dense")
            attended = self._add_and_norm(attended, asked, scope + "/attention/output")
            grown = self._dense(attended, scope + "/intermediate/dense", self._activation.factor)
            with tf.name_scope(scope + "/intermediate/"):
                grown = self._activation.function(grown)
            hidden = self._add_and_norm(self._dense(grown, scope + "/output/dense"), attended, scope + "/output")
        return hidden

    def _first(self, hidden):
        """[B·S, H] → [B, H], the first position of each sequence."""
        width = self._config.hidden_size
        with tf.name_scope(bert.POOLER_SCOPE):
            shaped = tf.reshape(hidden, [-1, self._seq_len, width])
            return tf.reshape(tf.slice(shaped, [0, 0, 0], [-1, 1, -1]), [-1, width])

    def _attend(self, asked, hidden, mask_bias, scope):
        """Self-attention of `asked` [B·Q, H], Q being S or 1, over `hidden` [B·S, H] → [B·Q, H]."""
        size = self._config.hidden_size // self._config.num_attention_heads
        asked_len = self._seq_len if asked is hidden else 1
        query = self._heads(self._dense(asked, scope + "/query", 1.0 / math.sqrt(size)), asked_len, scope)
        key, value = [
            self._heads(self._dense(hidden, "%s/%s" % (scope, name)), self._seq_len, scope) for name in ("key", "value")
        ]
        with tf.name_scope(scope + "/"):
            scores = tf.matmul(query, key, transpose_b=True)
            context = tf.matmul(tf.nn.softmax(scores + mask_bias), value)
            return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [-1, self._config.hidden_size])

    def _heads(self, inputs, length, scope):
        """[B·length, H] → [B, heads, length, head size]."""
        heads = self._config.num_attention_heads
        with tf.name_scope(scope + "/"):
            shaped = tf.reshape(inputs, [-1, length, heads, self._config.hidden_size // heads])
            return tf.transpose(shaped, [0, 2, 1, 3])

    def _dense(self, inputs, scope, factor=1.0):
        """A dense layer, its result times `factor`, which goes into the weights."""
        name = scope if factor == 1.0 else scope + "_scaled"
        kernel, bias = [
            self._weight(
                "%s/%s" % (scope, part), change=lambda value: value * value.dtype.type(factor), name=name + "/" + part
            )
            for part in ("kernel", "bias")
        ]
        with tf.name_scope(name + "/"):
            return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)

    def _add_and_norm(self, left, right, scope):
        with tf.name_scope(scope + "/"):
            total = left + right
        return tf.cast(self._layer_norm(tf.cast(total, tf.float32), scope + "/LayerNorm"), self._dtype)

    def _layer_norm(self, inputs, scope):
        """Layer norm over the last axis; float32 in and out."""
        gamma = self._weight(scope + "/gamma", dtype=tf.float32)
        beta = self._weight(scope + "/beta", dtype=tf.float32)
        with tf.name_scope(scope + "/"):
            residuals = inputs - tf.reduce_mean(inputs, [-1], keepdims=True)
            variance = tf.reduce_mean(tf.square(residuals), [-1], keepdims=True)
            return residuals * tf.math.rsqrt(variance + self._config.epsilon) * gamma + beta

    def _weight(self, source_name, change=lambda value: value, dtype=None, name=None):
        """A variable whose value will be the source's, changed and cast."""
        dtype = dtype or self._dtype

        def value():
            return change(self._source.tensor(source_name)).astype(dtype.as_numpy_dtype)

        shape = change(np.broadcast_to(np.float32(), self._source.shape(source_name))).shape
        variable = tf.compat.v1.get_variable(name or source_name, shape, dtype, tf.compat.v1.zeros_initializer())
        self.weights[variable] = value
        return variable


def _boundary(name, tensor):
    """Name a tensor between host part and device part."""
    with tf.name_scope(None):
        return tf.identity(tensor, "device/" + name)
