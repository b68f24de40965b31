"""Times compiled models against each other, interleaved, in the environment that has OpenVINO. Started by latency.py.

Reads one JSON object on stdin: {"models": {name: path of an .xml}, "shape": [batch, length], "fixed": bool, "runs": n}.
Writes one on stdout: per model the times in milliseconds, the outputs' last-axis agreement with the first model, the
operators of the compiled model by type, and (with "profile") where its time goes.
"""

from __future__ import annotations

import collections
import json
import sys
import time
from typing import Any

import numpy as np
import openvino

WARM_UPS = 5


def main() -> None:
    """Read the request, answer it."""
    request = json.load(sys.stdin)
    core = openvino.Core()
    runs = [Run(core, path, request) for path in request["models"].values()]
    for run in runs * WARM_UPS:
        run()
    for run in runs:
        run.times.clear()
    for turn in range(request["runs"]):
        for run in runs if turn % 2 == 0 else reversed(runs):  # A B, B A, …: neither always goes first
            run()
    answer = {name: run.as_dict(runs[0]) for name, run in zip(request["models"], runs, strict=True)}
    json.dump(answer, sys.stdout)


class Run:
    """One compiled model and its times."""

    def __init__(self, core: openvino.Core, path: str, request: dict[str, Any]) -> None:
        model = core.read_model(path)
        if request["fixed"]:
            model.reshape(dict.fromkeys(range(len(model.inputs)), request["shape"]))
        config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        self.profiled = bool(request.get("profile"))
        if self.profiled:
            config["PERF_COUNT"] = "YES"
        self.compiled = core.compile_model(model, "CPU", config)
        self.request = self.compiled.create_infer_request()
        self.inputs = feed(self.compiled, request["shape"])
        self.times: list[float] = []

    def __call__(self) -> None:
        """Infer once; the time is the call's alone, inputs are in place."""
        for port, tensor in self.inputs.items():
            self.request.set_tensor(port, tensor)
        started = time.perf_counter()
        self.request.infer()
        self.times.append(1000 * (time.perf_counter() - started))

    def outputs(self) -> list[np.ndarray]:
        """Every output of the last inference."""
        return [self.request.get_tensor(port).data for port in self.compiled.outputs]

    def as_dict(self, first: Run) -> dict[str, Any]:
        """What is told of it."""
        answer = {
            "milliseconds": self.times,
            "outputs": [list(array.shape) for array in self.outputs()],
            "max_abs": difference(first.outputs(), self.outputs()),
            "operators": operators(self.compiled),
        }
        if self.profiled:
            answer["profile"] = profile(self.request)
        return answer


def difference(left: list[np.ndarray], right: list[np.ndarray]) -> float | None:
    """The largest difference of the outputs of equal shape; None where there are none."""
    pairs = [(a, b) for a in left for b in right if a.shape == b.shape]
    return max((float(np.abs(a - b).max()) for a, b in pairs), default=None)


def feed(compiled: openvino.CompiledModel, shape: list[int]) -> dict[Any, openvino.Tensor]:
    """The same ids, mask and segments whatever the inputs are called: half of the last row is padding."""
    rng = np.random.default_rng(0)
    values = {
        "ids": rng.integers(1000, 20000, shape),
        "mask": np.ones(shape, np.int64),
        "segments": np.zeros(shape, np.int64),
    }
    values["mask"][-1, shape[1] // 2 :] = 0
    values["segments"][:, shape[1] // 4 :] = 1
    tensors = {}
    for port in compiled.inputs:
        names = " ".join(port.get_names())
        role = "mask" if "mask" in names else "segments" if "segment" in names or "token_type" in names else "ids"
        tensors[port] = openvino.Tensor(values[role].astype(port.get_element_type().to_dtype()))
    return tensors


def operators(compiled: openvino.CompiledModel) -> dict[str, int]:
    """How many layers of each type the CPU plug-in runs."""
    layers = compiled.get_runtime_model().get_ops()
    return dict(collections.Counter(layer.get_rt_info()["layerType"].value for layer in layers).most_common())


def profile(request: openvino.InferRequest) -> list[list[Any]]:
    """[type, kernel, count, milliseconds] of what ran, slowest first."""
    spent: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
    for row in request.profiling_info:
        if row.status == row.Status.EXECUTED:
            spent[row.node_type, row.exec_type].append(row.real_time.total_seconds() * 1000)
    return sorted(([*kind, len(times), sum(times)] for kind, times in spent.items()), key=lambda row: -row[3])


if __name__ == "__main__":
    main()
