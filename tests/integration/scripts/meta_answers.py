"""What the graphs of some .meta files answer, their checkpoints restored by TensorFlow's own Saver."""

import json
import sys

import numpy as np
import tensorflow as tf

request = json.load(sys.stdin)
if hasattr(tf.compat.v1, "disable_eager_execution"):
    tf.compat.v1.disable_eager_execution()
for asked in request["asked"]:
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        saver = tf.compat.v1.train.import_meta_graph(asked["prefix"] + ".meta")
        saver.restore(session, asked["prefix"])
        nodes = [node for node in graph.get_operations() if node.type == "Placeholder"]
        fed = [node.outputs[0] for node in nodes if node.outputs[0].dtype == tf.int32]
        roles = dict(zip(("input_ids", "input_mask", "segment_ids"), fed))  # noqa: B905 - Python 3.7
        rows = np.load(asked["inputs"])
        found = {name: [] for name in asked["names"]}
        for row in range(len(rows["input_ids"])):
            feeds = {}
            for role, tensor in roles.items():
                missing = tensor.shape.as_list()[1] - rows[role].shape[1]
                feeds[tensor] = np.pad(rows[role][row : row + 1], [(0, 0), (0, missing)])
            for name, values in session.run({name: name + ":0" for name in found}, feeds).items():
                found[name].append(values)
        np.savez(asked["out"], **{name: np.concatenate(values) for name, values in found.items()})
json.dump("done", sys.stdout)
