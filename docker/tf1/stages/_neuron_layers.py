"""Layers of a graph for the Neuron compiler, and the variables they are made of."""

import numpy as np
import tensorflow as tf

WEIGHTS_AT_ONCE = 16  # about those of one layer


class Layers(object):
    """Makes layers whose products are of one type, and knows what value each variable will have.

    Attributes:
        weights: tf.Variable → function without arguments that gives its value as a NumPy array.
        dtype: tf.float16 or tf.float32, of weights and products; layer norms are of float32.
        config: of the source.
    """

    def __init__(self, source, dtype):
        """Begin without a variable; `source` has config, shape(name) and tensor(name), as `_source.Source` does."""
        self.weights = {}
        self.dtype = dtype
        self.config = source.config
        self._source = source

    def load(self, session):
        """Give the variables their values, a few at a time: what is fed is held twice, and each run costs 20 ms."""
        weights = list(self.weights.items())
        for start in range(0, len(weights), WEIGHTS_AT_ONCE):
            group = weights[start : start + WEIGHTS_AT_ONCE]
            values = {variable.initial_value: value() for variable, value in group}
            session.run([variable.initializer for variable, _ in group], values)

    def dense(self, inputs, scope, factor=1.0):
        """A dense layer, its result times `factor`, which goes into the weights."""
        name = scope if factor == 1.0 else scope + "_scaled"
        kernel, bias = [
            self.weight(
                "%s/%s" % (scope, part), change=lambda value: value * value.dtype.type(factor), name=name + "/" + part
            )
            for part in ("kernel", "bias")
        ]
        with tf.name_scope(name + "/"):
            return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)

    def turned(self, inputs, weights, bias):
        """A dense layer whose weights lie as [C, H] in the source: [N, H] → [N, C]."""
        kernel = self.weight(weights, change=np.transpose, name=weights + "_transposed")
        return tf.nn.bias_add(tf.matmul(inputs, kernel), self.weight(bias))

    def normed(self, inputs, scope):
        """Layer norm over the last axis, computed in float32."""
        return tf.cast(self.layer_norm(tf.cast(inputs, tf.float32), scope), self.dtype)

    def layer_norm(self, inputs, scope):
        """Layer norm over the last axis; float32 in and out."""
        gamma = self.weight(scope + "/gamma", dtype=tf.float32)
        beta = self.weight(scope + "/beta", dtype=tf.float32)
        with tf.name_scope(scope + "/"):
            residuals = inputs - tf.reduce_mean(inputs, [-1], keepdims=True)
            variance = tf.reduce_mean(tf.square(residuals), [-1], keepdims=True)
            return residuals * tf.math.rsqrt(variance + self.config.epsilon) * gamma + beta

    def weight(self, source_name, change=lambda value: value, dtype=None, name=None):
        """A variable whose value will be the source's, changed and cast."""
        dtype = dtype or self.dtype

        def value():
            return change(self._source.tensor(source_name)).astype(dtype.as_numpy_dtype)

        shape = change(np.broadcast_to(np.float32(), self._source.shape(source_name))).shape
        variable = tf.compat.v1.get_variable(name or source_name, shape, dtype, tf.compat.v1.zeros_initializer())
        self.weights[variable] = value
        return variable
