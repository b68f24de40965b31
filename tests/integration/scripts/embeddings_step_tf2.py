"""Steps of the Model Garden's embeddings and optimizer, as they are and as train computes them: how far apart."""

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="2", CUDA_VISIBLE_DEVICES="-1")
import numpy as np
import tensorflow as tf
from official.nlp import optimization
from official.nlp.modeling.layers import OnDeviceEmbedding

request = json.load(sys.stdin)
sys.path[:0] = [str(Path(request["root"], part)) for part in ("docker/tf2", "docker/common", "")]
ours = importlib.import_module("stages._training_optimizer")
STEPS = 6


def trained():
    """The table and its moments after each step."""
    chance = np.random.RandomState(7)
    layer = OnDeviceEmbedding(40, 8, name="word_embeddings")
    layer.build([None])
    table = layer.embeddings
    table.assign(chance.randn(40, 8))
    kernel = tf.Variable(chance.randn(8, 8), dtype=tf.float32, name="dense/kernel")
    optimizer = optimization.create_optimizer(1e-2, STEPS, 2)
    found = []
    for _ in range(STEPS):
        rows = chance.randint(0, 40, 5).repeat(2)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.matmul(layer(tf.constant(rows)), kernel) - 1.0))
        gradients = tape.gradient(loss, (table, kernel))
        assert isinstance(gradients[0], tf.IndexedSlices)
        optimizer.apply_gradients(zip(gradients, (table, kernel), strict=True))
        found.append([one.numpy() for one in (table, kernel, *optimizer.variables()[1:])])
    return found


theirs = trained()
ours.settle()
pairs = [pair for steps in zip(theirs, trained(), strict=True) for pair in zip(*steps, strict=True)]
answer = {
    "off": max(float(np.abs(one - other).max()) for one, other in pairs),
    "moved": min(float(np.abs(one - other).max()) for one, other in zip(theirs[0], theirs[-1], strict=True)),
    "differing": sum(int((one != other).sum()) for one, other in pairs),
}
json.dump(answer, sys.stdout)
