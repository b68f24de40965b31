"""What a model does with inputs outside its range: input name → what came of it, as numbers or an error's words.

The request: path of the model, its engine (openvino, onnxruntime, tensorflow), and vocab, types, positions: the sizes
of its tables.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def in_openvino(path):
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda feeds: compiled(feeds)[0]


def in_onnxruntime(path):
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)[0]


def in_tensorflow(path):
    import tensorflow as tf

    tf = tf.compat.v1
    graph = tf.GraphDef()
    graph.ParseFromString(Path(path).read_bytes())
    tf.import_graph_def(graph, name="")
    session = tf.Session()
    return lambda feeds: session.run("bert/pooler/dense/Tanh:0", {f"{name}:0": value for name, value in feeds.items()})


request = json.loads(sys.stdin.read())
run = {"openvino": in_openvino, "onnxruntime": in_onnxruntime, "tensorflow": in_tensorflow}[request["engine"]](
    request["path"]
)


def answer(ids, segments=None):
    """The first output, as a list; or the last line of the error."""
    ids = np.array([ids], np.int32).reshape(1, -1)
    segments = np.zeros_like(ids) if segments is None else np.full_like(ids, segments)
    feeds = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": segments}
    try:
        return np.array(run(feeds)).ravel().tolist()
    except Exception as error:  # noqa: BLE001 - of a class that each engine has itself
        return str(error).strip().splitlines()[-1]


vocab, types = request["vocab"], request["types"]
found = {
    "last": answer([1, vocab - 1, 2]),
    "-1": answer([1, -1, 2]),
    "-vocab": answer([1, -vocab, 2]),
    "first": answer([1, 0, 2]),
    "second": answer([1, 1, 2]),
    "below": answer([1, -vocab - 1, 2]),
    "vocab": answer([1, vocab, 2]),
    "beyond": answer([1, vocab + 1000, 2]),
    "segment types": answer([1, 3, 2], types),
    "segment beyond": answer([1, 3, 2], types + 7),
    "segment 0": answer([1, 3, 2], 0),
    "segment -1": answer([1, 3, 2], -1),
    "segment last": answer([1, 3, 2], types - 1),
    "length 0": answer([]),
    "longest": answer([3] * request["positions"]),
    "too long": answer([3] * (request["positions"] + 1)),
}
sys.stdout.write(json.dumps(found) + "\n")
