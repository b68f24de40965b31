"""What trains a task: run_squad, run_classifier, or for a task that has no script there `_head_training`.

Each gives `_trainer` the same three things: an input function of records, a model_fn, and the graph that answers.
"""

import tensorflow as tf
from bert import modeling

from stages import _prepared


def of(prepared):
    """The program for a task; run_squad and run_classifier define the same flags, so only one can be imported.

    Args:
        prepared: a `_prepared.Prepared`.
    """
    if prepared.squad:
        return Squad(prepared)
    if prepared.kind == _prepared.CLASSIFICATION:
        return Classifier(prepared)
    from stages import _head_training

    return _head_training.Program(prepared)


class Squad(object):
    """run_squad."""

    def __init__(self, prepared):
        from bert import run_squad

        self._upstream, self._length = run_squad, prepared.max_seq_length

    def input_fn(self, path, training):
        """Of a file of records."""
        return self._upstream.input_fn_builder(path, self._length, training, training)

    def model_fn(self, **settings):
        """Upstream's, with the settings of its model_fn_builder."""
        return self._upstream.model_fn_builder(**settings)

    def build_answer(self, config, inputs):
        """Build the graph that answers in the default graph; `inputs` are ids, mask, segments, int32 [B, S]."""
        start, end = self._upstream.create_model(config, False, *inputs, use_one_hot_embeddings=False)
        tf.identity(start, "start_logits")
        tf.identity(end, "end_logits")


class Classifier(object):
    """run_classifier."""

    def __init__(self, prepared):
        from bert import run_classifier

        self._upstream, self._prepared = run_classifier, prepared

    def input_fn(self, path, training):
        """Of a file of records."""
        return self._upstream.file_based_input_fn_builder(path, self._prepared.max_seq_length, training, training)

    def model_fn(self, **settings):
        """Upstream's, with the settings of its model_fn_builder."""
        return self._upstream.model_fn_builder(num_labels=self._prepared.columns, **settings)

    def build_answer(self, config, inputs):
        """Build the graph that answers in the default graph, without the loss that upstream's create_model adds."""
        from stages import _head_training

        model = modeling.BertModel(config, False, *inputs)
        kind, count = self._prepared.kind, self._prepared.columns
        _head_training.answer(_head_training.logits(model, kind, count, training=False), kind)
