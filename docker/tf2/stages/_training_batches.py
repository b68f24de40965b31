"""Batches that end where their longest row does, and dev and test sets by the length of their rows."""

import os

import by_length
import numpy as np
import short_batches
import tensorflow as tf

from stages._training_task import HEADS

INPUTS = ("input_word_ids", "input_mask", "input_type_ids")


def shortened(job, make, *, training):
    """An input function of the Model Garden's form, its batches, (inputs, labels, …), cut behind their longest row.

    Lengths are rounded up to `by_length.STEP`: TensorFlow's first step of a length takes half as long again.
    They stay as they are with --pad-to-max, on a TPU, which computes one shape, and in training where the loss reads
    padding or a hub module is called, whose length is settled.
    """
    whole = training and (HEADS[job.task_type] not in short_batches.SAFE or job.source.kind == "hub_module")
    if whole or _is_padded(job.args):
        return make
    tagging = job.task_type == "tagging"

    def real(batch):
        return short_batches.real_places(batch[0]["input_mask"], batch[1] if tagging else None)

    def cut(inputs, labels, *weights):
        places = real((inputs, labels))
        columns = short_batches.cut(places, *(inputs[name] for name in INPUTS), step=by_length.STEP)
        inputs = dict(inputs, **dict(zip(INPUTS, columns, strict=True)))
        return (inputs, short_batches.cut(places, labels, step=by_length.STEP)[0] if tagging else labels, *weights)

    def make_short(context=None):
        found = make(context)
        if training and job.args.bucket_by_length == "true":
            epoch = int(job.meta["train_data_size"]) // job.args.train_batch_size
            found = short_batches.bucketed(found, real, epoch, job.args.seed)
        return found.map(cut).prefetch(tf.data.AUTOTUNE)

    return make_short


def by_length_of(job, path, batch_size):
    """A file of the same records by the length of their rows, and where each came from; else the file and None.

    Args:
        job: a `_training_inputs.Job`.
        path: of records.
        batch_size: rows of a batch.
    """
    if _is_padded(job.args):
        return path, None
    copy = os.path.join(job.model_dir, "sorted.tf_record")
    return copy, by_length.sorted_copy(path, copy, _lengths(job, path), batch_size)


def _is_padded(args):
    return args.pad_to_max == "true" or args.distribution_strategy == "tpu"


def _lengths(job, path):
    names = ["input_mask"] + (["label_ids"] if job.task_type == "tagging" else [])
    features = {name: tf.io.FixedLenFeature([int(job.meta["max_seq_length"])], tf.int64) for name in names}
    found = [np.zeros(0, int)]
    for batch in tf.data.TFRecordDataset(path).batch(1024).map(lambda some: tf.io.parse_example(some, features)):
        real = batch["input_mask"].numpy() != 0
        found.append(by_length.lengths(real | (batch["label_ids"].numpy() >= 0) if len(names) > 1 else real))
    return np.concatenate(found)
