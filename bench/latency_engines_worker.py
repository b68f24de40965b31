"""One model in one engine. Started by latency_engines.py; a line of JSON in, a line out.

The first line has the engine, the model, the shape and how many cores to run on, and is answered with the mean of the
absolute values of each output, by its shape. Each other line is two inferences, of which the second is timed: the
first finds caches and threads cold.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def in_openvino(path: str, cores: int, feeds: Callable[[str], Any]) -> Callable[[], list[Any]]:
    """A function that infers once with OpenVINO, in float32, with the latency hint; inputs are in place."""
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores}
    compiled = openvino.Core().compile_model(path, "CPU", config)
    request = compiled.create_infer_request()
    for port in compiled.inputs:
        values = feeds(" ".join(port.get_names())).astype(port.get_element_type().to_dtype())
        request.set_tensor(port, openvino.Tensor(values))

    def infer() -> list[Any]:
        request.infer()
        return [request.get_tensor(port).data for port in compiled.outputs]

    return infer


def in_onnxruntime(path: str, cores: int, feeds: Callable[[str], Any]) -> Callable[[], list[Any]]:
    """The same with ONNX Runtime, as it is set unasked but for its threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = {one.name: feeds(one.name).astype(np.int32) for one in session.get_inputs()}
    return lambda: list(session.run(None, given))


def main() -> None:
    """Answer until there is no more to read."""
    asked = json.loads(sys.stdin.readline())
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: asked["cores"]]))
    ids = np.random.default_rng(0).integers(1000, 20000, asked["shape"])

    def feeds(name: str) -> Any:
        if "mask" in name:
            return np.ones_like(ids)
        return np.zeros_like(ids) if "segment" in name or "token_type" in name else ids

    engine = {"openvino": in_openvino, "onnxruntime": in_onnxruntime}[asked["engine"]]
    infer = engine(asked["model"], asked["cores"], feeds)
    say({"answers": {str(list(value.shape)): float(np.abs(value).mean()) for value in infer()}})
    for _ in sys.stdin:
        infer()
        started = time.perf_counter()
        infer()
        say({"milliseconds": 1000 * (time.perf_counter() - started)})


def say(value: dict[str, object]) -> None:
    """A line of JSON, at once."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
