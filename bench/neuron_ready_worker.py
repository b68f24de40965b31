"""Times SavedModels against each other, interleaved, in the tf1 environment. Started by neuron_ready.py.

Reads one JSON object on stdin: {"models": {name: folder}, "batch": B, "seq_len": S, "runs": n}. Writes one on stdout:
per model its times in milliseconds, its operators by type (those its answer needs), and how far its answer is from the
first model's.
"""

from __future__ import annotations

import collections
import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

WARM_UPS = 3
NO_WORK = {"Const", "Identity", "NoOp", "Placeholder", "VariableV2"}


def main() -> None:
    """Read the request, answer it."""
    request = json.load(sys.stdin)
    chance = np.random.RandomState(0)
    shape = (request["batch"], request["seq_len"])
    inputs = {
        "input_ids": chance.randint(0, 30000, shape).astype(np.int32),
        "input_mask": np.ones(shape, np.int32),
        "segment_ids": chance.randint(0, 2, shape).astype(np.int32),
    }
    models = {name: Run(folder, inputs) for name, folder in request["models"].items()}
    runs = list(models.values())
    for run in runs * WARM_UPS:
        run()
    for run in runs:
        run.times.clear()
    for turn in range(request["runs"]):
        for run in runs if turn % 2 == 0 else runs[::-1]:  # A B, B A, …: neither always goes first
            run()
    json.dump({name: run.as_dict(runs[0]) for name, run in models.items()}, sys.stdout)


class Run:
    """One loaded model and its times."""

    def __init__(self, folder: str, inputs: dict[str, Any]) -> None:
        self.times: list[float] = []
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self.session, ["serve"], folder)
        signature = loaded.signature_def["serving_default"]
        tensor = self.session.graph.get_tensor_by_name
        self.feeds = {tensor(signature.inputs[role].name): value for role, value in inputs.items()}
        self.outputs = {name: tensor(port.name) for name, port in signature.outputs.items()}

    def __call__(self) -> None:
        """Answer once."""
        started = time.perf_counter()
        self.answer = self.session.run(self.outputs, self.feeds)
        self.times.append((time.perf_counter() - started) * 1000)

    def as_dict(self, reference: Run) -> dict[str, Any]:
        """What is to be told."""
        graph = self.session.graph.as_graph_def()
        needed = tf.compat.v1.graph_util.extract_sub_graph(graph, [tensor.op.name for tensor in self.outputs.values()])
        return {
            "times": self.times,
            "operators": collections.Counter(node.op for node in needed.node if node.op not in NO_WORK),
            "max_abs": max(
                float(np.max(np.abs(self.answer[name] - value))) for name, value in reference.answer.items()
            ),
        }


if __name__ == "__main__":
    main()
