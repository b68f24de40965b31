"""Loss and gradients of a batch with its padding and without, by the programs that finetune trains with; no dropout."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import nn_ops

request = json.load(sys.stdin)
sys.path[:0] = [str(Path(request["root"], part)) for part in ("docker/tf1", "docker/common", "")]
short_batches, programs, folder = map(
    importlib.import_module, ("short_batches", "stages._programs", "stages._prepared")
)
from bert import modeling, optimization  # noqa: E402 - the stages' paths come first

LENGTH, LONGEST, COLUMNS = 24, 11, 3
CONFIG = modeling.BertConfig(
    60, 16, 2, 2, 32, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.25
)


def batch(kind):
    """Four rows of up to eleven places, and labels."""
    chance = np.random.RandomState(3)
    mask = (np.arange(LENGTH) < np.array([[5], [LONGEST], [3], [8]])).astype(np.int32)
    made = {"input_ids": chance.randint(1, 60, mask.shape) * mask, "input_mask": mask, "segment_ids": mask}
    if kind == folder.SQUAD:
        return dict(
            made, unique_ids=np.arange(4), start_positions=np.array([1, 2, 0, 3]), end_positions=np.array([3, 9, 2, 3])
        )
    labels = {
        folder.CLASSIFICATION: chance.randint(0, COLUMNS, 4),
        folder.REGRESSION: chance.rand(4).astype(np.float32),
        folder.MULTI_LABEL: chance.randint(0, 2, [4, COLUMNS]),
        folder.TAGGING: np.where(mask == 1, chance.randint(0, COLUMNS, mask.shape), -1),
    }
    return dict(made, label_ids=labels[kind], is_real_example=np.ones(4, np.int32))


def cut(features, kind):
    """The batch as `_trainer` cuts it."""
    tags = features["label_ids"] if kind == folder.TAGGING else None
    names = [*folder.SEQUENCES, *(["label_ids"] if kind == folder.TAGGING else [])]
    columns = short_batches.cut(
        short_batches.real_places(features["input_mask"], tags), *(features[name] for name in names)
    )
    return dict(features, **dict(zip(names, columns)))  # noqa: B905 - Python 3.7


def trained(kind, cutting):
    """The loss and the gradient of every variable, and the length of the rows."""
    losses = []
    optimization.create_optimizer = lambda loss, *_: losses.append(loss) or tf.no_op()
    columns = 1 if kind == folder.REGRESSION else COLUMNS
    facts = SimpleNamespace(kind=kind, columns=columns, max_seq_length=LENGTH, squad=kind == folder.SQUAD)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(5)
        features = {
            name: tf.constant(value, tf.float32 if value.dtype == np.float32 else tf.int32)
            for name, value in batch(kind).items()
        }
        if cutting:
            features = cut(features, kind)
        settings = {"init_checkpoint": None, "learning_rate": 1e-3, "num_train_steps": 1, "num_warmup_steps": 0}
        model_fn = programs.of(facts).model_fn(
            bert_config=CONFIG, use_tpu=False, use_one_hot_embeddings=False, **settings
        )
        model_fn(features, None, tf.estimator.ModeKeys.TRAIN, {})
        variables = tf.compat.v1.trainable_variables()
        gradients = tf.gradients(losses[0], variables)
        values = {
            variable: np.random.RandomState(number).randn(*variable.shape.as_list()) * 0.3
            for number, variable in enumerate(variables)
        }
        for variable, value in values.items():
            variable.load(value.astype(np.float32), session)
        wanted = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
        return session.run([losses[0], tf.shape(features["input_ids"])[1], *wanted])


nn_ops.dropout_v2 = lambda value, *_, **__: value  # tf.nn.dropout's, which the programs put in front of their heads
answer = {}
for kind, head in folder.HEADS.items():
    if kind not in request["kinds"]:
        continue
    (loss, whole, *gradients), (short_loss, short, *short_gradients) = (
        trained(kind, cutting) for cutting in (False, True)
    )
    off = [float(np.abs(a - b).max()) for a, b in zip(gradients, short_gradients)]  # noqa: B905 - Python 3.7
    answer[head] = {
        "loss": abs(float(loss - short_loss)),
        "gradient": max(off),
        "largest": max(float(np.abs(one).max()) for one in gradients),
    }
    answer[head].update(lengths=[int(whole), int(short)], variables=len(gradients))
answer["safe"] = short_batches.SAFE
json.dump(answer, sys.stdout)
