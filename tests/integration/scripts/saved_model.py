"""In the tf1 environment: a SavedModel as TensorFlow loads it, its graph and its answers.

Request: {"folder": SavedModel, "runs": [{"inputs": npz, "answers": npz to write}, …]}. Inputs go in under the
signature's names; what a run leaves out is fed nothing.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
request = json.load(sys.stdin)
predictor = tf.contrib.predictor.from_saved_model(request["folder"])


def sizes(shape):
    """A shape with None for what is free; None for an unknown rank."""
    return None if shape.rank is None else shape.as_list()


def ports(tensors):
    """What a signature says of its tensors."""
    return {
        name: {"tensor": tensor.name, "dtype": tensor.dtype.name, "shape": sizes(tensor.shape)}
        for name, tensor in tensors.items()
    }


for run in request.get("runs", []):
    with np.load(run["inputs"]) as inputs:
        np.savez(run["answers"], **predictor({name: inputs[name] for name in inputs.files}))
outputs = [tensor.op.name for tensor in predictor.fetch_tensors.values()]
needed = tf.compat.v1.graph_util.extract_sub_graph(predictor.graph.as_graph_def(), outputs)
json.dump(
    {
        "inputs": ports(predictor.feed_tensors),
        "outputs": ports(predictor.fetch_tensors),
        "needed": [node.name for node in needed.node],
        "nodes": {
            operation.name: {
                "op": operation.type,
                "inputs": [tensor.name for tensor in operation.inputs],
                "dtypes": [tensor.dtype.base_dtype.name for tensor in operation.outputs],
                "shapes": [sizes(tensor.shape) for tensor in operation.outputs],
            }
            for operation in predictor.graph.get_operations()
        },
    },
    sys.stdout,
)
