"""Time two ONNX models in turn on ONNX Runtime, with one thread. Run by convert_onnx.py in the environment of onnx.

Request on stdin: {"models": {name: file}, "batch": B, "length": S, "rounds": N}; the answer is one line of JSON:
milliseconds by name, and the largest difference between the two models' first outputs.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import onnxruntime

request = json.load(sys.stdin)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
sessions = {
    name: onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for name, path in request["models"].items()
}
chance = np.random.default_rng(1)
shape = (request["batch"], request["length"])
values = {
    "input_ids": chance.integers(0, 30000, shape).astype(np.int32),
    "input_mask": np.ones(shape, np.int32),
    "segment_ids": np.zeros(shape, np.int32),
}


def ask(session: onnxruntime.InferenceSession) -> np.ndarray:
    """The answer of a model: tf2onnx keeps the names of TensorFlow's tensors, with a port behind."""
    return session.run(None, {port.name: values[port.name.partition(":")[0]] for port in session.get_inputs()})[0]


answers = [ask(session) for session in sessions.values()]
taken = {name: [] for name in sessions}
for turn in range(request["rounds"]):
    for name in list(sessions) if turn % 2 == 0 else list(sessions)[::-1]:
        started = time.perf_counter()
        ask(sessions[name])
        taken[name].append(1000 * (time.perf_counter() - started))
print(json.dumps({"milliseconds": taken, "difference": float(np.abs(answers[0] - answers[1]).max())}))
