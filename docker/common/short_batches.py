"""Batches of a tf.data.Dataset, cut behind their longest row; in graphs of TensorFlow 1 and in TensorFlow 2.

What is cut off is padding, which BERT's mask keeps out of the encoder's answers. Whether a loss reads it all the same
is the loss's matter: run_squad's softmax does, over every place of a row (`SAFE` has the heads whose losses do not).
"""

import tensorflow as tf

SAFE = ("classifier", "multi-label", "regression", "tokens")
"""The heads whose losses and gradients are the same with and without padding, as google-research/bert, the Model Garden
and this project write them; tests compare both."""
WINDOW = 8
"""Batches whose rows are sorted together by `bucketed`, at most. More make little less padding, and batches of fewer
classes where lengths tell classes: docs/results.md has both measured."""


def real_places(mask, tags=None):
    """Where a batch holds more than padding: bool [B, S].

    Args:
        mask: int [B, S], 0 where there is padding.
        tags: labels of places [B, S], below 0 where there is none; None where labels are of whole rows.
    """
    real = tf.not_equal(mask, 0)
    return real if tags is None else tf.logical_or(real, tags >= 0)


def row_lengths(real):
    """int32 [B]: the place after the last real one; of a row without any all places, since it attends to all alike."""
    size = tf.shape(real)[1]
    behind = tf.argmax(tf.cast(tf.reverse(real, [1]), tf.int32), axis=1, output_type=tf.int32)
    return tf.where(tf.reduce_any(real, axis=1), size - behind, tf.fill(tf.shape(behind), size))


def cut(real, *columns, step=1):
    """Columns [B, S], each without the places that are padding in all rows: a list.

    Args:
        real: of `real_places`.
        columns: arrays [B, S].
        step: as many places are left as the next multiple of it, where there are so many.
    """
    longest = -(-tf.reduce_max(row_lengths(real)) // step) * step
    return [column[:, :longest] for column in columns]


def bucketed(batches, real, epoch, seed=None):
    """The same rows in other batches: of `WINDOW` batches at a time, sorted by length; the batches come in any order.

    Args:
        batches: a dataset without end, of batches of one size.
        real: function of a batch that gives `real_places`.
        epoch: batches in which every row is once: no more are sorted together, else a row would lie beside itself.
        seed: of the batches' order; None: the graph's.
    """

    def sorted_window(*window):
        window = window if len(window) > 1 else window[0]
        count, size = (tf.shape(tf.nest.flatten(window)[0])[axis] for axis in (0, 1))
        rows = tf.nest.map_structure(
            lambda one: tf.reshape(one, tf.concat([[count * size], tf.shape(one)[2:]], 0)), window
        )
        ordered = tf.argsort(row_lengths(real(rows)), stable=True)

        def batched(flat, like):
            return tf.reshape(tf.gather(flat, ordered), tf.shape(like))

        made = tf.nest.map_structure(batched, rows, window)
        for one, like in zip(tf.nest.flatten(made), tf.nest.flatten(window)):
            one.set_shape(like.shape)
        return tf.data.Dataset.from_tensor_slices(made)

    count = max(1, min(WINDOW, epoch))
    return batches.batch(count, drop_remainder=True).flat_map(sorted_window).shuffle(count, seed=seed)
