"""Times compiled models against each other, interleaved, in an environment with OpenVINO. Started by latency.py.

Reads one JSON object on stdin: {"models": {name: path of an .xml}, "shape": [batch, length], "cores": n, "runs": n}.
Writes one on stdout: per model the times in milliseconds, how far its answers are from the first model's of equal
shape, the layers of the compiled model by type, and of the last inference what ran how long; and the GFLOP/s of the
fastest matrix product found on these cores.
"""

from __future__ import annotations

import collections
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino

WARM_UPS = 5
WORDS = 20000
"""Of the smallest vocabulary that a model is asked with unless another number is named."""
SIDE, PRODUCTS = 1536, 8


def main() -> None:
    """Read the request, answer it."""
    request = json.load(sys.stdin)
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: request["cores"]]))
    core = openvino.Core()
    config = settings(request["cores"], bool(request.get("profile")))
    runs = [Run(core.compile_model(path, "CPU", config), request["shape"]) for path in request["models"].values()]
    product = Product(core, request["cores"])
    in_turn(runs, request["runs"], product)
    answer: dict[str, Any] = {name: run.as_dict(runs[0]) for name, run in zip(request["models"], runs, strict=True)}
    if request.get("profile"):
        for name, run in zip(request["models"], runs, strict=True):
            answer[name]["profile"] = profile(run.request)
    json.dump({"models": answer, "gflops": product.gflops()}, sys.stdout)


def in_turn(runs: list[Run], turns: int, sometimes: Callable[[], None] = lambda: None) -> None:
    """Infer with each model in turn, A B, B A, … so that neither always goes first; now and then do another thing."""
    for run in runs * WARM_UPS:
        run()
    for run in runs:
        run.times.clear()
    for turn in range(turns):
        for run in runs if turn % 2 == 0 else reversed(runs):
            run()
        if turn % max(1, turns // PRODUCTS) == 0:
            sometimes()


def settings(cores: int, profiled: bool = False) -> dict[str, Any]:
    """What models are compiled with."""
    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": cores}
    return {**config, "PERF_COUNT": "YES"} if profiled else config


class Run:
    """One compiled model and its times, by a clock that gives seconds."""

    def __init__(
        self,
        compiled: openvino.CompiledModel,
        shape: list[int],
        *,
        clock: Callable[[], float] = time.perf_counter,
        words: int = WORDS,
    ) -> None:
        self.compiled = compiled
        self.request = compiled.create_infer_request()
        for port, tensor in feed(compiled, shape, words).items():
            self.request.set_tensor(port, tensor)
        self.times: list[float] = []
        self._clock = clock

    def __call__(self) -> None:
        """Infer once; the time is the call's alone, inputs are in place."""
        started = self._clock()
        self.request.infer()
        self.times.append(1000 * (self._clock() - started))

    def outputs(self) -> list[np.ndarray]:
        """Every output of the last inference."""
        return [self.request.get_tensor(port).data for port in self.compiled.outputs]

    def as_dict(self, first: Run) -> dict[str, Any]:
        """What is told of it."""
        return {
            "milliseconds": self.times,
            "max_abs": difference(first.outputs(), self.outputs()),
            "operators": operators(self.compiled),
        }


class Product:
    """One large matrix product of float32, by OpenVINO and by NumPy."""

    def __init__(self, core: openvino.Core, cores: int) -> None:
        opset = importlib.import_module(f"openvino.{'' if hasattr(openvino, 'opset13') else 'runtime.'}opset13")
        side = openvino.PartialShape([SIDE, SIDE])
        self._left = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
        given = opset.parameter(side, np.float32)
        model = openvino.Model([opset.matmul(given, opset.constant(self._left), False, False)], [given])
        self._request = core.compile_model(model, "CPU", settings(cores)).create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(self._left))
        self._seconds: list[float] = []

    def __call__(self) -> None:
        """Multiply once with each."""
        for multiply in (self._request.infer, lambda: self._left @ self._left):
            started = time.perf_counter()
            multiply()
            self._seconds.append(time.perf_counter() - started)

    def gflops(self) -> float:
        """Of the fastest."""
        return 2 * SIDE**3 / min(self._seconds) / 1e9


def difference(left: list[np.ndarray], right: list[np.ndarray]) -> float | None:
    """The largest difference of the outputs of equal shape; None where there are none."""
    pairs = [(a, b) for a in left for b in right if a.shape == b.shape]
    return max((float(np.abs(a - b).max()) for a, b in pairs), default=None)


def feed(compiled: openvino.CompiledModel, shape: list[int], words: int) -> dict[Any, openvino.Tensor]:
    """The same ids, mask and segments for every model: half of the last row is padding."""
    values = {
        "input_ids": np.random.default_rng(0).integers(1000, words, shape),
        "input_mask": np.ones(shape, np.int64),
        "segment_ids": np.zeros(shape, np.int64),
    }
    values["input_mask"][-1, shape[1] // 2 :] = 0
    values["segment_ids"][:, shape[1] // 4 :] = 1
    return {port: openvino.Tensor(value) for port, value in by_port(compiled, values).items()}


def by_port(compiled: openvino.CompiledModel, values: dict[str, Any]) -> dict[Any, Any]:
    """Values by their roles → by the inputs of a model, whatever these are called, in the type that each takes."""
    found = {}
    for port in compiled.inputs:
        names = " ".join(port.get_names())
        role = "input_mask" if "mask" in names else "input_ids"
        role = "segment_ids" if "segment" in names or "token_type" in names else role
        found[port] = values[role].astype(port.get_element_type().to_dtype())
    return found


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
