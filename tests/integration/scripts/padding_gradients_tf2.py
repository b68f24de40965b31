"""Loss and gradients of a batch with its padding and without, by the programs that train trains with; no dropout."""

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="2", CUDA_VISIBLE_DEVICES="-1")
import numpy as np
import tensorflow as tf
import tf_keras

request = json.load(sys.stdin)
sys.path[:0] = [str(Path(request["root"], part)) for part in ("docker/tf2", "docker/common", "")]
short_batches, by_length, heads = map(importlib.import_module, ("short_batches", "by_length", "stages._training_heads"))
from official.legacy.bert import bert_models, configs  # noqa: E402

LENGTH, LONGEST, COLUMNS = 24, 11, 3
CONFIG = configs.BertConfig(
    60, 16, 2, 2, 32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.25
)
NAMES = ("input_word_ids", "input_mask", "input_type_ids")


def parts(kind, chance, mask):
    """A model, its loss and labels."""
    if kind == "span":
        from official.legacy.bert import run_squad_helper

        labels = {"start_positions": np.array([1, 2, 0, 3]), "end_positions": np.array([3, 9, 2, 3])}
        return bert_models.squad_model(CONFIG, LENGTH)[0], run_squad_helper.get_loss_fn(), labels
    if kind == "regression":
        loss = tf_keras.losses.MeanSquaredError()
        return bert_models.classifier_model(CONFIG, 1)[0], loss, chance.rand(4).astype(np.float32)
    if kind == "tokens":
        labels = np.where(mask == 1, chance.randint(0, COLUMNS, mask.shape), -1).astype(np.int32)
        tagger = heads.tagger(CONFIG, COLUMNS)[0]
        return tf_keras.Model(tagger.inputs, tagger.outputs[0]), heads._tag_loss, labels
    model = bert_models.classifier_model(CONFIG, COLUMNS)[0]
    if kind == "multi-label":
        return model, heads._labels_loss, chance.randint(0, 2, [4, COLUMNS])
    from official.legacy.bert import run_classifier

    return model, run_classifier.get_loss_fn(COLUMNS), chance.randint(0, COLUMNS, 4)


def compared(kind):
    """How far loss and gradients are apart."""
    chance = np.random.RandomState(3)
    mask = (np.arange(LENGTH) < np.array([[5], [LONGEST], [3], [8]])).astype(np.int32)
    inputs = dict(zip(NAMES, (chance.randint(1, 60, mask.shape) * mask, mask, mask), strict=True))
    inputs = {name: tf.constant(value, tf.int32) for name, value in inputs.items()}
    model, loss_fn, labels = parts(kind, chance, mask)
    for number, variable in enumerate(model.trainable_variables):
        variable.assign(np.random.RandomState(number).randn(*variable.shape) * 0.3)
    found = []
    for cutting in (False, True):
        asked, wanted = inputs, labels
        if cutting:
            tags = tf.constant(labels) if kind == "tokens" else None
            real = short_batches.real_places(inputs["input_mask"], tags)
            step = by_length.STEP
            asked = dict(zip(NAMES, short_batches.cut(real, *inputs.values(), step=step), strict=True))
            wanted = short_batches.cut(real, tags, step=step)[0] if kind == "tokens" else labels
        with tf.GradientTape() as tape:
            loss = loss_fn(wanted, model(asked, training=False))
        gradients = tape.gradient(loss, model.trainable_variables)
        made = [tf.convert_to_tensor(one).numpy() for one in gradients if one is not None]
        found.append((float(loss), made, int(asked["input_mask"].shape[1])))
    (loss, gradients, whole), (short_loss, short_gradients, short) = found
    off = max(float(np.abs(one - other).max()) for one, other in zip(gradients, short_gradients, strict=True))
    largest = max(float(np.abs(one).max()) for one in gradients)
    return {"loss": abs(loss - short_loss), "gradient": off, "largest": largest, "lengths": [whole, short]}


def bucketed(lengths, count):
    """The rows of `count` batches of like length, made of batches of 2."""
    rows = {"mask": (np.arange(8) < lengths[:, None]).astype(np.int32), "row": np.arange(len(lengths))}
    batches = tf.data.Dataset.from_tensor_slices(rows).batch(2).repeat()
    real = lambda batch: short_batches.real_places(batch["mask"])  # noqa: E731
    found = short_batches.bucketed(batches, real, len(lengths) // 2, seed=1)
    return [batch["row"].numpy().tolist() for batch in found.take(count)]


few = bucketed(np.array([7, 2, 5, 3, 6, 4]), 12)
many_lengths = np.tile([7, 2, 5, 3], 6 * short_batches.WINDOW // 4)
many = bucketed(many_lengths, 12 * short_batches.WINDOW)
answer = {"few": few, "many": many, "lengths": many_lengths.tolist(), "window": short_batches.WINDOW}
json.dump({"bucketed": answer, **{kind: compared(kind) for kind in request["kinds"]}}, sys.stdout)
