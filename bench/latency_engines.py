"""Latency of one model in all engines: our fp32 IR in OpenVINO 2026.4 and 2024.6, our ONNX model, Optimum-Intel's IR.

    .venv/bin/python bench/latency_engines.py [--sizes minilm,base] [--cores 1,2] [--runs 60]

Checkpoints are of random weights, of the sizes of MiniLM and base. The stages ir-direct and onnx-direct write our
models, with the last layer's hidden states, as Optimum-Intel gives them; its IR is exported from the folder of
convert-hf of the same checkpoint. Each engine is a process that stays; all answer in turn, batch 1 and 4, length 128,
free shapes, float32, on the same cores, as many threads. Threads of ONNX Runtime go on for 30 ms and more after an
answer, and would take a core from the next engine: before each turn of one, all rest. It then answers twice, and the
second time counts. Make our environments first: `invoke images --backend data,onnx,openvino,openvino@2024.6`; the one
with Optimum-Intel is made where it is missing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

import optimum_intel
from common import ROOT, Asked, Targets, machine, median, paired_ratio, print_table, told
from stage_runs import StageRuns, random_checkpoint

SHAPES = ((1, 128), (4, 128))
MOST = 1.0
WARM_UPS = 5
REST = 0.1
"""Seconds before an engine's turn."""
OURS, OLD, ONNX, THEIRS = "IR, OpenVINO 2026.4", "IR, OpenVINO 2024.6", "ONNX Runtime", "Optimum-Intel"


class Worker(Asked):
    """A model in an engine, kept for one shape."""

    def __init__(self, python: Path, engine: str, model: Path, shape: tuple[int, int], cores: int) -> None:
        command = [python, ROOT / "bench" / "latency_engines_worker.py"]
        super().__init__(command, {"engine": engine, "model": str(model), "shape": shape, "cores": cores})


class Models:
    """The models of one checkpoint: name → Python, engine, file."""

    def __init__(self, folder: Path, size: str) -> None:
        openvino, old, onnx = (StageRuns(name, folder) for name in ("openvino", "openvino@2024.6", "onnx"))
        checkpoint = random_checkpoint(folder, size)
        flags = (f"--checkpoint={checkpoint}", "--output=sequence", "--gelu=erf")
        ir, _ = openvino.run("ir-direct", f"{size}-ir", *flags)
        model, _ = onnx.run("direct", f"{size}-onnx", *flags)
        weights = optimum_intel.weights(checkpoint, folder)
        exported = optimum_intel.export(optimum_intel.environment("2026.4"), weights, folder / f"{size}-optimum")
        self.of = {
            OURS: (openvino.program("python"), "openvino", ir / "model.xml"),
            OLD: (old.program("python"), "openvino", ir / "model.xml"),
            ONNX: (onnx.program("python"), "onnxruntime", model / "model.onnx"),
            THEIRS: (openvino.program("python"), "openvino", exported),
        }

    def times(self, shape: tuple[int, int], cores: int, runs: int) -> tuple[dict[str, list[float]], float]:
        """Milliseconds of each inference by model, and how far the means of their answers are apart."""
        workers = {name: Worker(*asked, shape, cores) for name, asked in self.of.items()}
        for turn in range(runs + WARM_UPS):
            for worker in workers.values() if turn % 2 else reversed(workers.values()):
                time.sleep(REST)
                worker()
        for worker in workers.values():
            worker.end()
        whole = max(workers[OURS].answers)
        means = [worker.answers.get(whole, float("inf")) for worker in workers.values()]
        return {name: worker.times[WARM_UPS:] for name, worker in workers.items()}, max(means) - min(means)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="minilm,base", help="of random_checkpoint.py (default: minilm,base)")
    parser.add_argument("--cores", default="1,2", help="how many cores all run on (default: 1,2)")
    parser.add_argument("--runs", type=int, default=60, help="inferences of each model and shape (default: 60)")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets, rows = Targets(), []
    for size in args.sizes.split(","):
        with tempfile.TemporaryDirectory() as folder:
            models = Models(Path(folder), size)
            for shape, cores in itertools.product(SHAPES, map(int, args.cores.split(","))):
                times, difference = models.times(shape, cores, args.runs)
                what = f"{size}, batch {shape[0]}, cores: {cores}"
                ratios = {name: paired_ratio(times[OURS], times[name]) for name in (OLD, ONNX, THEIRS)}
                worst = targets.at_most(f"{what}: ours ÷ the best of the others", max(ratios.values()), MOST)
                cells = [f"{median(times[OURS]):.1f}"]
                cells += [f"{median(times[name]):.1f} ({ratio:.3f})" for name, ratio in ratios.items()]
                rows.append(told((what, *cells, worst, f"{difference:.0e}")))
    print(f"{machine()}; float32, length 128, free shapes; medians of {args.runs} inferences in turn, in ms\n")
    columns = (OURS, *(f"{name} (ours ÷ it)" for name in (OLD, ONNX, THEIRS)))
    print_table(("", *columns, "target of the largest ratio", "means differ by"), rows)
    targets.finish()


if __name__ == "__main__":
    main()
