"""Training of the heads that google-research/bert has no script for: a score, several labels, a tag for each word.

A model_fn and an input function of run_classifier.py's form: its optimizer, its initial values, its dropout in front of
the head, its names of variables and nodes (output_weights, output_bias, loss/…). What differs is what the head reads,
its loss, and what is measured.

| task_type   | reads         | loss                                                       | prediction              |
| ----------- | ------------- | ---------------------------------------------------------- | ----------------------- |
| regression  | pooled output | (score - label) squared, the mean of the batch             | the score               |
| multi-label | pooled output | sigmoid cross entropy, the mean of all labels of the batch | a sigmoid of each label |
| tagging     | each token    | cross entropy, the mean of the batch's places with a label | a softmax of each token |
"""

import tensorflow as tf
from bert import modeling, optimization

from bertbuild.heads.classifier import BIAS, WEIGHTS
from stages import _prepared

KEPT = 0.9
"""Of the head's inputs in a training step: run_classifier's dropout."""


class Program(object):
    """Trains a task of `_prepared.OURS`, as `_programs` have it."""

    def __init__(self, prepared):
        self._kind, self._count, self._length = prepared.kind, prepared.columns, prepared.max_seq_length

    def input_fn(self, path, training):
        """run_classifier's, with the labels' shape and dtype of the task."""
        features = _prepared.features(self._kind, self._length, self._count)

        def decode(record):
            example = tf.parse_single_example(record, features)
            return {name: tf.to_int32(one) if one.dtype == tf.int64 else one for name, one in example.items()}

        def input_fn(params):
            records = tf.data.TFRecordDataset(path)
            if training:
                records = records.repeat().shuffle(buffer_size=100)
            batches = tf.data.experimental.map_and_batch(decode, params["batch_size"], drop_remainder=training)
            return records.apply(batches)

        return input_fn

    def model_fn(self, bert_config, learning_rate, num_train_steps, num_warmup_steps, **_settings):
        """run_classifier's, for the head of the task."""
        estimator, spec = tf.estimator.ModeKeys, tf.estimator.tpu.TPUEstimatorSpec

        def model_fn(features, labels, mode, params):
            del labels, params
            training = mode == estimator.TRAIN
            inputs = [features[name] for name in ("input_ids", "input_mask", "segment_ids")]
            found = logits(modeling.BertModel(bert_config, training, *inputs), self._kind, self._count, training)
            wanted = features["label_ids"]
            if mode == estimator.PREDICT:
                return spec(mode, predictions={"answer": answer(found, self._kind), "label_ids": wanted})
            losses, weights = _losses(found, wanted, self._kind)
            loss = tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)
            if training:
                train = optimization.create_optimizer(loss, learning_rate, num_train_steps, num_warmup_steps, False)
                return spec(mode, loss=loss, train_op=train)
            real = tf.to_float(features["is_real_example"])
            weights *= tf.reshape(real, [-1] + [1] * (weights.shape.ndims - 1))
            return spec(mode, loss=loss, eval_metrics=(METRICS[self._kind], [found, wanted, losses, weights]))

        return model_fn

    def build_answer(self, config, inputs):
        """Build the graph that answers in the default graph; `inputs` are ids, mask, segments, int32 [B, S]."""
        answer(logits(modeling.BertModel(config, False, *inputs), self._kind, self._count, False), self._kind)


def logits(model, kind, count, training):
    """The head over a `modeling.BertModel`: float32 [B, C]; of tags [B, S, C].

    Args:
        model: the encoder.
        kind: the task_type.
        count: C: the rows of output_weights.
        training: whether dropout is in front of it.
    """
    hidden = model.get_sequence_output() if kind == _prepared.TAGGING else model.get_pooled_output()
    width = hidden.shape[-1].value
    start = tf.truncated_normal_initializer(stddev=0.02)
    weights = tf.get_variable(WEIGHTS, [count, width], initializer=start)
    bias = tf.get_variable(BIAS, [count], initializer=tf.zeros_initializer())
    with tf.variable_scope("loss"):
        if training:
            hidden = tf.nn.dropout(hidden, keep_prob=KEPT)
        flat = tf.reshape(hidden, [-1, width]) if kind == _prepared.TAGGING else hidden
        found = tf.nn.bias_add(tf.matmul(flat, weights, transpose_b=True), bias)
        if kind == _prepared.TAGGING:
            found = tf.reshape(found, [*modeling.get_shape_list(hidden)[:2], count])
        return found


def answer(found, kind):
    """What a head answers, from its logits: scores [B], probabilities [B, C], of tags [B, S, C]."""
    with tf.name_scope("loss/"):  # the scope of `logits`, and not a second one
        if kind == _prepared.REGRESSION:
            return tf.squeeze(found, [-1])
        return tf.sigmoid(found) if kind == _prepared.MULTI_LABEL else tf.nn.softmax(found, axis=-1)


def _losses(found, labels, kind):
    """The loss of each label, and its weight: 0 where a place has no label."""
    if kind == _prepared.REGRESSION:
        losses = tf.square(tf.squeeze(found, [-1]) - labels)
    elif kind == _prepared.MULTI_LABEL:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.to_float(labels), logits=found)
    else:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.maximum(labels, 0), logits=found)
        return losses, tf.to_float(labels >= 0)
    return losses, tf.ones_like(losses)


def _of_scores(found, labels, losses, weights):
    scores = tf.squeeze(found, [-1])
    return {
        "eval_loss": tf.metrics.mean(losses, weights),
        "eval_mean_squared_error": tf.metrics.mean_squared_error(labels, scores, weights),
        "eval_pearson": tf.contrib.metrics.streaming_pearson_correlation(scores, labels, weights),
    }


def _of_several(found, labels, losses, weights):
    told = tf.to_int32(found > 0)
    counted = [
        metric(labels, told, weights)
        for metric in (tf.metrics.true_positives, tf.metrics.false_positives, tf.metrics.false_negatives)
    ]
    (right, missing, wrong), updates = zip(*counted)
    f1 = tf.div_no_nan(2 * right, 2 * right + missing + wrong)
    return {
        "eval_loss": tf.metrics.mean(losses, weights),
        "eval_accuracy": tf.metrics.accuracy(labels, told, weights),
        "eval_micro_f1": (f1, tf.group(*updates)),
    }


def _of_tags(found, labels, losses, weights):
    told = tf.argmax(found, axis=-1, output_type=tf.int32)
    return {
        "eval_loss": tf.metrics.mean(losses, weights),
        "eval_accuracy": tf.metrics.accuracy(labels, told, weights),
    }


METRICS = {_prepared.REGRESSION: _of_scores, _prepared.MULTI_LABEL: _of_several, _prepared.TAGGING: _of_tags}
"""What is measured on the dev set: of labels the share that is right (at probability 0.5 where there are several)."""
