"""Times classifiers against each other and counts their right answers. Started by int8_optimum.py.

Reads one JSON object on stdin: {"models": {name: path of an .xml}, "shape": [batch, length], "cores": n, "runs": n,
"examples": path of an .npz}. The examples are int32 arrays input_ids, input_mask, segment_ids [N, S] and label_ids [N].
Writes one on stdout: per model the times in milliseconds, how many of the examples it answers right, its matrix
products by the precision that the CPU plug-in computes them in, and its layers by type.
"""

from __future__ import annotations

import collections
import json
import os
import sys
from typing import Any

import numpy as np
import openvino
from latency_worker import Run, by_port, in_turn, operators, settings

ROLES = ("input_ids", "input_mask", "segment_ids")


def main() -> None:
    """Read the request, answer it."""
    request = json.load(sys.stdin)
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: request["cores"]]))
    core = openvino.Core()
    config = settings(request["cores"])
    models = {name: core.compile_model(path, "CPU", config) for name, path in request["models"].items()}
    runs = {name: Run(model, request["shape"]) for name, model in models.items()}
    in_turn(list(runs.values()), request["runs"])
    with np.load(request["examples"]) as file:
        columns = {name: file[name] for name in file.files}
    answer = {
        name: {
            "milliseconds": run.times,
            "operators": operators(run.compiled),
            "products": products(run.compiled),
            "right": right(run.compiled, columns),
        }
        for name, run in runs.items()
    }
    json.dump(answer, sys.stdout)


def right(compiled: openvino.CompiledModel, columns: dict[str, Any]) -> int:
    """How many examples the class with the largest logit or probability is right of, each asked without its padding."""
    request = compiled.create_infer_request()
    count = 0
    for row, label in enumerate(columns["label_ids"]):
        length = int(columns["input_mask"][row].sum())
        feeds = by_port(compiled, {role: columns[role][row : row + 1, :length] for role in ROLES})
        for port, values in feeds.items():
            request.set_tensor(port, openvino.Tensor(values))
        request.infer()
        count += int(request.get_output_tensor(0).data[0].argmax() == label)
    return count


def products(compiled: openvino.CompiledModel) -> dict[str, int]:
    """Matrix products of their own by precision; those of a fused attention are part of a Subgraph."""
    infos = [layer.get_rt_info() for layer in compiled.get_runtime_model().get_ops()]
    kinds = ("FullyConnected", "MatMul")
    return dict(
        collections.Counter(info["runtimePrecision"].value for info in infos if info["layerType"].value in kinds)
    )


if __name__ == "__main__":
    main()
