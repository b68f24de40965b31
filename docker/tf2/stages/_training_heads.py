"""Tags and several labels, which the legacy run_classifier has no model, loss and records for.

Everything else is its own: `settle` puts these in the place of what it trains classes with.

| task_type   | model                    | loss                                                              |
| ----------- | ------------------------ | ----------------------------------------------------------------- |
| tagging     | BertTokenClassifier      | cross entropy, the mean of the batch's places that have a label   |
| multi-label | classifier_model's       | sigmoid cross entropy, the mean of all labels of the batch        |
"""

import functools

import tensorflow as tf
import tf_keras
from official.legacy.bert import bert_models, input_pipeline
from official.nlp.modeling import models

TAGGING, MULTI_LABEL = KINDS = ("tagging", "multi-label")


class WordAccuracy(tf_keras.metrics.SparseCategoricalAccuracy):
    """The share of words whose tag is right; places without a label do not count."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch: labels [B, S], logits [B, S, C]."""
        del sample_weight  # the legacy programs give none
        return super().update_state(tf.maximum(y_true, 0), y_pred, tf.cast(y_true >= 0, tf.float32))


class MicroF1(tf_keras.metrics.F1Score):
    """F1 over all labels at probability 0.5."""

    def __init__(self):
        super().__init__(average="micro", threshold=0.5, name="micro_f1", dtype=tf.float32)
        self.build([None, 1], [None, 1])  # its counts are of all labels; made here, each device has them

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch: labels and logits [B, C]."""
        del sample_weight
        return super().update_state(tf.cast(y_true, tf.float32), tf.sigmoid(y_pred))


METRICS = {
    TAGGING: (functools.partial(WordAccuracy, "accuracy", dtype=tf.float32),),
    MULTI_LABEL: (
        functools.partial(tf_keras.metrics.BinaryAccuracy, "accuracy", dtype=tf.float32, threshold=0.0),
        MicroF1,
    ),
}


def settle(kind):
    """Let run_classifier train and export this kind of task."""
    from official.legacy.bert import run_classifier  # it defines flags that run_squad defines too

    losses = {TAGGING: _tag_loss, MULTI_LABEL: _labels_loss}
    run_classifier.get_loss_fn = lambda _classes: losses[kind]
    if kind == TAGGING:
        bert_models.classifier_model = _logits_of_tags


def tagger(config, labels, length=None):
    """A BertTokenClassifier with new weights, and its encoder."""
    encoder = bert_models.get_transformer_encoder(config, length)
    start = tf_keras.initializers.TruncatedNormal(stddev=config.initializer_range)
    rate = config.hidden_dropout_prob
    return models.BertTokenClassifier(encoder, num_classes=labels, initializer=start, dropout_rate=rate), encoder


def _logits_of_tags(config, labels, length=None, **_hub):
    """In the place of classifier_model: a model of one output, as Keras wants it beside one loss."""
    model, encoder = tagger(config, labels, length)
    return tf_keras.Model(model.inputs, model.outputs[0]), encoder


def records(job, path, batch_size, *, training):
    """run_classifier's get_dataset_fn, for labels of the task's shape: a function that gives batches of a file."""
    length = int(job.meta["max_seq_length"])
    shape = [length] if job.task_type == TAGGING else [job.labels]
    names = {name: tf.io.FixedLenFeature([length], tf.int64) for name in ("input_ids", "input_mask", "segment_ids")}
    names["label_ids"] = tf.io.FixedLenFeature(shape, tf.int64)

    def parted(record):
        inputs = ("input_ids", "input_mask", "segment_ids")
        theirs = ("input_word_ids", "input_mask", "input_type_ids")
        return dict(zip(theirs, (record[name] for name in inputs), strict=True)), record["label_ids"]

    def make(context=None):
        found = input_pipeline.single_file_dataset(path, names)
        if training:
            found = found.shuffle(100).repeat()
        size = context.get_per_replica_batch_size(batch_size) if context else batch_size
        return found.map(parted).batch(size, drop_remainder=training).prefetch(tf.data.experimental.AUTOTUNE)

    return make


def predictions(job, model, make):
    """What a trained model answers for each example: probabilities [C]; of tags those of its places with a label."""
    of_tags = job.task_type == TAGGING

    @tf.function
    def answer(inputs):
        found = model(inputs, training=False)
        return tf.nn.softmax(found["logits"]) if of_tags else tf.sigmoid(found)

    for inputs, labels in make():
        for row, label in zip(answer(inputs).numpy(), labels.numpy(), strict=True):
            yield row[label >= 0] if of_tags else row


def _tag_loss(labels, logits):
    labels = tf.cast(labels, tf.int32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    weights = tf.cast(labels >= 0, tf.float32)
    return tf.reduce_sum(losses * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)


def _labels_loss(labels, logits):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits))
