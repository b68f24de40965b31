"""The Model Garden's AdamWeightDecay, with the word embeddings' step in one pass.

Their gradient has a row for each word of the batch. Keras adds it to the moments and goes on with operations over the
whole table, a new array for each; made whole, it goes the way of every other variable's, through TensorFlow's own
operator for Adam. The moments of words that are not in the batch fade in both ways alike. Sums are in another order, so
that figures differ in their last digits.

The rows of a batch are taken from the table as it is read whole, which copies nothing. After TensorFlow's operator for
rows of a variable every later operation over that variable copies it first: the decay twice, Adam once.
"""

import tensorflow as tf
from official.modeling.optimization import legacy_adamw
from official.nlp.modeling.layers import OnDeviceEmbedding


def settle():
    """Let the Model Garden's programs train so."""
    legacy_adamw.AdamWeightDecay._resource_apply_sparse = _whole  # noqa: SLF001 - Keras's own place for it
    OnDeviceEmbedding.call = _looked_up(OnDeviceEmbedding.call)


def _whole(self, grad, var, indices, apply_state=None):
    # Keras looks at the names of these arguments.
    rows = tf.math.unsorted_segment_sum(grad, indices, tf.shape(var)[0])
    return self._resource_apply_dense(rows, var, apply_state)


def _looked_up(theirs):
    def call(self, inputs):
        if self._use_one_hot or self._scale_factor:
            return theirs(self, inputs)
        return tf.gather(self.embeddings.read_value(), inputs)

    return call
