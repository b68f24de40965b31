"""In the tf1 environment: a frozen graph as TensorFlow reads it, compared with the checkpoint it was made from.

Request: {"graph": .pb, "checkpoint": prefix}. Constants are compared bit for bit with the tensors of their name.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import tensorflow as tf

request = json.load(sys.stdin)
graph_def = tf.compat.v1.GraphDef()
graph_def.ParseFromString(Path(request["graph"]).read_bytes())
reader = tf.train.NewCheckpointReader(request["checkpoint"])
same, different, missing = [], [], []
constants = {node.name: node for node in graph_def.node if node.op == "Const"}
for name in sorted(reader.get_variable_to_shape_map()):
    if name not in constants:
        missing.append(name)
        continue
    value, wanted = tf.make_ndarray(constants[name].attr["value"].tensor), reader.get_tensor(name)
    equal = value.dtype == wanted.dtype and value.shape == wanted.shape and value.tobytes() == wanted.tobytes()
    (same if equal else different).append(name)
placeholders = {
    node.name: {
        "dtype": tf.as_dtype(node.attr["dtype"].type).name,
        "shape": tf.TensorShape(node.attr["shape"].shape).as_list(),
    }
    for node in graph_def.node
    if node.op == "Placeholder"
}
tf.import_graph_def(graph_def, name="")  # a graph TensorFlow would not run is refused here
json.dump(
    {
        "same": same,
        "different": different,
        "missing": missing,
        "placeholders": placeholders,
        "operators": {node.name: node.op for node in graph_def.node},
    },
    sys.stdout,
)
