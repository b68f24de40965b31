"""Latency of int8 IRs against the fp32 IR and each other, and of that against the TensorFlow 1 graph it is made from.

    .venv/bin/python bench/int8_latency.py [--size base|tiny] [--runs 60] [--core 0]

A checkpoint of random weights is frozen, converted and quantized by the stages, as processes of their own: for any
processor, and for those with VNNI. The four models then answer one batch of 1 x 128 in four processes, one at a time,
in turn: A B C D, D C B A, and so on; all of them on one core and with one thread. OpenVINO computes in float32 where it
is not int8. ONEDNN_MAX_CPU_ISA=AVX2 has it compute as on a processor without VNNI.

int8 is calibrated on random ids here, which is good enough for a random model's speed, and for nothing else.
Make the environments first: `invoke images --backend tf1,openvino --isolation venv`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import MIB, ROOT, Targets, interleaved, machine, median, paired_ratio, print_table
from random_checkpoint import SIZES, VOCABULARY
from stage_runs import StageRuns, random_checkpoint

from bertbuild.graph.processor import has_vnni, instruction_set

SHAPE = (1, 128)
CALIBRATED_ON = 32
WARM_UPS = 5
MOST_INT8, MOST_FP32 = 0.7, 0.7
TF1, FP32, INT8, VNNI = "TF1 frozen graph", "fp32 IR", "int8 IR", "int8 IR for VNNI"
ENGINES = {TF1: "tf1", FP32: "openvino", INT8: "openvino", VNNI: "openvino"}
MOST_ANY = 1.1
"""Of the time of the int8 IR for VNNI, that the one for any processor may take."""


class Model:
    """A model loaded in a process of its own (int8_latency_worker.py), which answers when it is told to."""

    def __init__(self, engine: str, path: Path, inputs: Path, core: int) -> None:
        self.times: list[float] = []
        command = [StageRuns(engine, path).program("python"), "-W", "ignore"]
        self._process = subprocess.Popen(
            [*command, ROOT / "bench" / "int8_latency_worker.py", engine, path, inputs, str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "CI": "true", "OMP_NUM_THREADS": "1"},
            text=True,
        )
        self.loaded = self._ask("load")

    def __call__(self) -> None:
        """Answer once."""
        self.times.append(float(self._ask("run")["milliseconds"]))

    def answer(self) -> np.ndarray:
        """The last answer: pooled output [B, H]."""
        return np.array(self._ask("answer")["pooled_output"])

    def _ask(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        """End the process."""
        self._process.communicate()


def make(folder: Path, size: str) -> dict[str, Path]:
    """The models' folders."""
    data, openvino = StageRuns("data", folder), StageRuns("openvino", folder)
    examples = folder / "features.npz"
    write_examples(examples, CALIBRATED_ON)
    frozen, _ = data.run("freeze", "frozen", f"--checkpoint={random_checkpoint(folder, size)}")
    fp32, _ = openvino.run("ir", "fp32", f"--frozen={frozen}")
    flags = (f"--ir={fp32}", f"--examples={examples}", f"--examples-used={CALIBRATED_ON}")
    int8, run = openvino.run("quantize", "int8", *flags)
    vnni, _ = openvino.run("quantize", "int8-vnni", *flags, "--int8-for=vnni")
    print(f"quantize: {run.seconds:.0f} s, {run.peak_bytes / MIB:.0f} MiB, {CALIBRATED_ON} examples of random ids")
    return {TF1: frozen, FP32: fp32, INT8: int8, VNNI: vnni}


def write_examples(path: Path, count: int) -> None:
    """Examples of random ids, no padding."""
    chance = np.random.default_rng(0)
    shape = (count, SHAPE[1])
    ids = chance.integers(0, VOCABULARY, shape, dtype=np.int32)
    np.savez(path, input_ids=ids, input_mask=np.ones(shape, np.int32), segment_ids=np.zeros(shape, np.int32))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of two answers, the smallest over the rows."""
    return float(np.min((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)))


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="base", help="of the random checkpoint (default: base)")
    parser.add_argument("--runs", type=int, default=60, help="answers of each model (default: 60)")
    parser.add_argument("--core", type=int, default=0, help="the core that all of them run on (default: 0)")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = make(folder, args.size)
        inputs = folder / "inputs.npz"
        write_examples(inputs, SHAPE[0])
        with contextlib.ExitStack() as stack:
            models = {name: Model(ENGINES[name], path, inputs, args.core) for name, path in made.items()}
            for model in models.values():
                stack.callback(model.end)
            interleaved(WARM_UPS, *models.values())
            for model in models.values():
                model.times.clear()
            interleaved(args.runs, *models.values())
            answers = {name: model.answer() for name, model in models.items()}

    found = instruction_set()
    print(f"\n{machine()}; instructions: {found}; core {args.core} alone, one thread")
    if not has_vnni(found):
        print(
            "No instructions for int8 products (VNNI, AMX): int8 is computed with those for int16, and VNNI's IR wrong."
        )
    print(f"{args.size} ({SIZES[args.size][0]} layers of {SIZES[args.size][1]}), batch x length {SHAPE}\n")
    rows = [
        (
            name,
            f"{median(model.times):.1f} ms",
            f"{min(model.times):.1f} ms",
            f"{cosine(answers[TF1], answers[name]):.5f}",
            ", ".join(f"{count} {precision}" for precision, count in sorted(model.loaded["products"].items())),
        )
        for name, model in models.items()
    ]
    print_table(("model", "median", "best", "cosine to TF1", "matrix products"), rows)
    print()
    judged = []
    for ours, theirs, most in ((INT8, FP32, MOST_INT8), (INT8, VNNI, MOST_ANY), (FP32, TF1, MOST_FP32)):
        ratio = paired_ratio(models[ours].times, models[theirs].times)
        what = f"{ours} / {theirs}"
        judged.append((what, f"{ratio:.3f}", targets.at_most(what, ratio, most)))
    print_table(("latency", "ratio", "target"), judged)
    targets.finish()


if __name__ == "__main__":
    main()
