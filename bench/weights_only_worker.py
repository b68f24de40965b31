"""What weights of 8 and of 4 bits change of the answers of every head. Started by weights_only.py, where OpenVINO is.

Reads one JSON object on stdin: {"layers": n, "hidden": n, "heads": n, "vocabulary": n, "seeds": [n, …], "deviations":
[x, …], "checkpoint": prefix or null, "kinds": [head, …], "lengths": [n, …]}. Writes a line of JSON for each answer of a
head: how large it is, and for each precision the largest difference from the fp32 IR and the smallest cosine of a row
with it.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from answers import ROLES
from stages._folding import fold_constants
from stages._weights import out_of_the_way
from stages._writer import Writer
from stages.compress import INT4, INT8, compress

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.heads.found import FoundHead
from bertbuild.heads.rows import HEADS
from bertbuild.model.encoder import Sizes
from bertbuild.model.model import describe

PRECISIONS = {"int8-weights": (INT8, 128), **{f"int4-weights, {size}": (INT4, size) for size in (128, 32)}}
LABELS = {"classifier": 2, "multi-label": 4, "tokens": 9}
OF_ENCODER = ("pooled", "sequence")


def main() -> None:
    """Answer."""
    request, out = json.load(sys.stdin), sys.stdout
    with out_of_the_way():
        import nncf

        nncf.set_log_level(logging.ERROR)
        for line in measured(request):
            print(json.dumps(line), file=out, flush=True)


def measured(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A line for each answer of each head, each seed and deviation."""
    for deviation in request["deviations"]:
        for seed in request["seeds"]:
            for head in request["kinds"]:
                if head not in OF_ENCODER or deviation == request["deviations"][0]:
                    yield from of_head(request, head, deviation, seed)


def of_head(request: dict[str, Any], head: str, deviation: float, seed: int) -> Iterator[dict[str, Any]]:
    """The answers of one head."""
    write = writer(request, head, deviation, seed)
    feeds = list(probes(request, seed))
    wanted = answers(write(), feeds)
    columns = {answer.tensor: answer.tolerance for answer in HEADS[head].answers}
    lines: dict[str, dict[str, Any]] = {
        name: {"head": head, "answer": name, "column": columns[name], "deviation": deviation, "seed": seed}
        for name in wanted
    }
    for name, values in wanted.items():
        lines[name]["largest"] = max(float(np.abs(value).max()) for value in values)
    for precision, (kind, group) in PRECISIONS.items():
        model = write()
        fold_constants(model)
        compress(model, kind, group)
        for name, values in answers(model, feeds).items():
            pairs = list(zip(values, wanted[name], strict=True))
            lines[name][precision] = [
                max(float(np.abs(a - b).max()) for a, b in pairs),
                min(cosine(a, b) for a, b in pairs),
            ]
    yield from lines.values()


def writer(request: dict[str, Any], head: str, deviation: float, seed: int) -> Callable[[], openvino.Model]:
    """A function that writes the model anew: its weights are those of a checkpoint, or random ones."""
    width, vocabulary = request["hidden"], request["vocabulary"]
    row = HEADS[head]
    labels = LABELS.get(head, 1)
    shapes = {} if head in OF_ENCODER else dict(row.variables(width, vocabulary, labels))
    found = [] if head in OF_ENCODER else [FoundHead(head, *row.last, labels)]
    outputs = [answer.output for answer in row.answers]
    reader = CheckpointReader(Path(request["checkpoint"])) if request["checkpoint"] else None
    made: dict[str, Any] = {}

    def tensor(name: str) -> Any:
        if name not in made:
            given = reader is not None and name in reader.entries
            made[name] = reader.tensor(name) if given else random_tensor(name)
        return made[name]

    def random_tensor(name: str) -> Any:
        shape = shapes.get(name) or encoder_shape(name, width, vocabulary)
        if name.endswith("gamma"):
            return np.ones(shape, np.float32)
        chance = np.random.default_rng([seed, *name.encode()])
        values = chance.standard_normal(shape, dtype=np.float32).clip(-2, 2)
        return values * np.float32(deviation if name in shapes else 0.02)

    sizes = Sizes(request["layers"], request["heads"], width, "erf", 1e-12)

    def write() -> openvino.Model:
        ops = Writer(tensor, ROLES, None, None)
        return ops.model(describe(ops, sizes, ops.inputs, found, outputs), head)

    return write


def encoder_shape(name: str, width: int, vocabulary: int) -> tuple[int, ...]:
    """The shape of a variable of the encoder, or of the masked LM's bias."""
    rows = {"word_embeddings": vocabulary, "token_type_embeddings": 2, "position_embeddings": 512}
    last = name.rpartition("/")[2]
    if last in rows:
        return (rows[last], width)
    if last != "kernel":
        return (4 * width,) if "intermediate" in name else (width,)
    if "intermediate" in name:
        return (width, 4 * width)
    return (4 * width, width) if name.endswith("output/dense/kernel") and "attention" not in name else (width, width)


def probes(request: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Random ids as the gate's probes have them: four rows with more and more padding, and two segments."""
    chance = np.random.default_rng(seed)
    for length in request["lengths"]:
        counts = [length, length * 3 // 4, length // 2, max(length // 4, 2)]
        mask = (np.arange(length) < np.array(counts)[:, None]).astype(np.int32)
        ids = chance.integers(0, request["vocabulary"], mask.shape).astype(np.int32) * mask
        segments = (np.arange(length) >= np.array(counts)[:, None] // 2).astype(np.int32) * mask
        yield dict(zip(ROLES, (ids, mask, segments), strict=True))


def answers(model: openvino.Model, feeds: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Output name → its values for each probe, as the gate asks and compares: in float32, activations as they are;
    one vector for a row, or for a position that is no padding.
    """
    config = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    compiled = openvino.Core().compile_model(model, "CPU", config)
    found: dict[str, list[Any]] = {}
    for feed in feeds:
        results = compiled(feed)
        for port in compiled.outputs:
            values = results[port].astype(np.float64)
            asked = values[feed["input_mask"] == 1] if values.ndim == 3 else values
            found.setdefault(port.get_any_name(), []).append(asked)
    return found


def cosine(a: Any, b: Any) -> float:
    """The smallest over the vectors."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return float(np.min((a * b).sum(-1) / np.where(lengths == 0, 1, lengths)))


if __name__ == "__main__":
    main()
