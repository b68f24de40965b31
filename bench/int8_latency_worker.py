"""One model on one core, answering when told to. Started by int8_latency.py, in the environment of tf1 or of openvino.

    python int8_latency_worker.py tf1|openvino FOLDER INPUTS.npz CORE

Reads lines on stdin: load, run, answer; writes a JSON object for each: how many matrix products the compiled model
computes in which precision (known of OpenVINO alone), milliseconds, the last answer.
"""

from __future__ import annotations

import collections
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

OUTPUT = "pooled_output"


def load_tf1(folder: str, inputs: dict[str, Any]) -> tuple[Callable[[], Any], dict[str, int]]:
    """What answers once, of the frozen graph in a folder."""
    import tensorflow.compat.v1 as tf

    signature = json.loads(Path(folder, "signature.json").read_text(encoding="utf-8"))
    graph = tf.GraphDef()
    graph.ParseFromString(Path(folder, "inference_graph.pb").read_bytes())
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        session = tf.Session(config=config)
    feeds = {signature["inputs"][role]["tensor"]: value for role, value in inputs.items()}
    # As fast as a session gets: feeds and fetches are looked up once.
    call = session.make_callable(signature["outputs"][OUTPUT]["tensor"], feed_list=list(feeds))
    return (lambda: call(*feeds.values())), {}


def load_openvino(folder: str, inputs: dict[str, Any]) -> tuple[Callable[[], Any], dict[str, int]]:
    """What answers once, of the IR in a folder, and its matrix products by precision."""
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
    model = openvino.Core().compile_model(f"{folder}/model.xml", "CPU", config)
    request = model.create_infer_request()
    for role, value in inputs.items():
        request.set_tensor(role, openvino.Tensor(value))

    def answer() -> Any:
        request.infer()
        return request.get_tensor(OUTPUT).data

    infos = [node.get_rt_info() for node in model.get_runtime_model().get_ops()]
    products = collections.Counter(
        info["runtimePrecision"].value for info in infos if info["layerType"].value in ("FullyConnected", "MatMul")
    )
    return answer, products


def main() -> None:
    """Load, then answer until stdin ends."""
    engine, folder, path, core = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    with np.load(path) as file:
        inputs = {role: file[role] for role in file.files}
    load = load_tf1 if engine == "tf1" else load_openvino
    answer, products = load(folder, inputs)
    found = None
    for line in sys.stdin:
        what = line.strip()
        if what == "run":
            started = time.perf_counter()
            found = answer()
            said = {"milliseconds": 1000 * (time.perf_counter() - started)}
        else:
            said = {"products": products} if what == "load" else {OUTPUT: np.array(found).tolist()}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
