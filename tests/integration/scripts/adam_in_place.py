"""Steps of upstream's optimizer by its own operations and in place: how far variables and moments are apart."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

request = json.load(sys.stdin)
sys.path[:0] = [str(Path(request["root"], part)) for part in ("docker/tf1", "docker/common", "")]
adam = importlib.import_module("stages._adam")
from bert import optimization  # noqa: E402 - the stages' paths come first

STEPS = 6


def trained(in_place):
    """Every variable, its moments, and the learning rate that was told, after each step."""
    chance = np.random.RandomState(7)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        start = {"bert/embeddings": [40, 8], "bert/dense/kernel": [8, 8], "bert/LayerNorm/gamma": [8]}
        table, kernel, gamma = (
            tf.compat.v1.get_variable(name, initializer=tf.constant(chance.randn(*shape), tf.float32))
            for name, shape in start.items()
        )
        # As TPUEstimator makes it, so that a step can be counted after its learning rate was read.
        tf.compat.v1.get_variable(
            "global_step",
            initializer=tf.constant(0, tf.int64),
            trainable=False,
            use_resource=True,
            collections=[tf.compat.v1.GraphKeys.GLOBAL_VARIABLES, tf.compat.v1.GraphKeys.GLOBAL_STEP],
        )
        rows = tf.compat.v1.placeholder(tf.int32, [None])
        loss = tf.reduce_sum(tf.square(tf.matmul(tf.gather(table, rows), kernel) * gamma - 1.0))
        with adam.learning_rates(in_place) as rates:
            step = optimization.create_optimizer(loss, 1e-2, STEPS, 2, False)
        adam.count_after(rates[0])
        session.run(tf.compat.v1.global_variables_initializer())
        names = [variable.op.name for variable in tf.compat.v1.global_variables()]
        found, told = [], []
        for _ in range(STEPS):
            told.append(float(session.run(rates[0])))
            session.run(step, {rows: chance.randint(0, 40, 5)})
            found.append(session.run(tf.compat.v1.global_variables()))
        return names, found, told


(names, theirs, rates), (other_names, ours, other_rates) = (trained(in_place) for in_place in (False, True))
pairs = [pair for steps in zip(theirs, ours) for pair in zip(*steps)]  # noqa: B905 - Python 3.7
answer = {
    "names": [names, other_names],
    "rates": [rates, other_rates],
    "off": max(float(np.abs(one - other).max()) for one, other in pairs),
    "moved": min(float(np.abs(one - other).max()) for one, other in zip(theirs[0], theirs[-1])),  # noqa: B905
}
json.dump(answer, sys.stdout)
