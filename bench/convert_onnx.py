"""The stage onnx-direct of a base-size checkpoint against tf2onnx on our frozen graph of it.

    python3.11 -m venv VENV && VENV/bin/pip install -r bench/tf2onnx-requirements.txt
    .venv/bin/python bench/convert_onnx.py VENV/bin/python [--runs 5] [--rounds 30]

Both are processes of their own, in turn: A B, B A, and so on. tf2onnx begins with the frozen graph, which is made
before and not counted. Then both models run on ONNX Runtime, in turn, with one thread. Weights are random.
Make the environments first: `invoke images --backend data,onnx --isolation venv`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from common import ROOT, Measured, Targets, interleaved, measure, median, paired_ratio, print_table
from conversions import header, parser_of, process_rows
from stage_runs import StageRuns, checkpoint_bytes, random_checkpoint

MOST_LATENCY = 1.0
THEIRS, OURS = "tf2onnx", "onnx-direct"
INPUTS = "input_ids:0,input_mask:0,segment_ids:0"
OUTPUT = "bert/pooler/dense/Tanh:0"
SHAPES = ((1, 128), (4, 128))


class Bench:
    """The two programs over one checkpoint."""

    def __init__(self, folder: Path, python: Path, size: str) -> None:
        self._folder = folder
        self._python = python
        self._stages = StageRuns("onnx", folder)
        self.checkpoint = random_checkpoint(folder, size)
        frozen, _ = StageRuns("data", folder).run("freeze", "frozen", f"--checkpoint={self.checkpoint}")
        self._graph = frozen / "inference_graph.pb"
        self.models = {THEIRS: folder / "theirs.onnx", OURS: folder / "ours" / "model.onnx"}
        self.taken: dict[str, list[Measured]] = {THEIRS: [], OURS: []}

    def theirs(self) -> None:
        """tf2onnx, at the newest opset that it has."""
        command = [self._python, "-m", "tf2onnx.convert", "--graphdef", self._graph, "--output", self.models[THEIRS]]
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.taken[THEIRS].append(
            measure([*command, "--inputs", INPUTS, "--outputs", OUTPUT, "--opset", "18"], env=env)
        )

    def ours(self) -> None:
        """The stage."""
        self.taken[OURS].append(self._stages.run("direct", "ours", f"--checkpoint={self.checkpoint}")[1])

    def latency(self, batch: int, length: int, rounds: int) -> dict[str, object]:
        """Milliseconds of each round by program, and how far the answers are apart."""
        request = {"models": {name: str(path) for name, path in self.models.items()}, "batch": batch, "length": length}
        done = subprocess.run(
            [self._stages.program("python"), ROOT / "bench" / "convert_onnx_worker.py"],
            input=json.dumps({**request, "rounds": rounds}),
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, print, judge."""
    parser = parser_of(__doc__, "tf2onnx", runs=5)
    parser.add_argument("--rounds", type=int, default=30, help="answers of each model (default: 30)")
    args = parser.parse_args()
    python = args.python.absolute()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), python, args.size)
        interleaved(args.runs, bench.theirs, bench.ours)
        size = checkpoint_bytes(bench.checkpoint)
        asked = {shape: bench.latency(*shape, args.rounds) for shape in SHAPES}

    print(header(args, size))
    rows = process_rows(targets, bench.taken[OURS], bench.taken[THEIRS])
    for (batch, length), found in asked.items():
        taken = found["milliseconds"]
        ratio = paired_ratio(taken[OURS], taken[THEIRS])  # type: ignore[index]
        name = f"latency {batch} × {length}, ms"
        left, right = (f"{median(taken[side]):.1f}" for side in (OURS, THEIRS))  # type: ignore[index]
        rows.append([name, left, right, f"{ratio:.3f}", targets.at_most(name, ratio, MOST_LATENCY)])
    print_table(("", OURS, THEIRS, "÷", "target"), rows)
    apart = max(float(found["difference"]) for found in asked.values())  # type: ignore[arg-type]
    print(f"\nTheir answers are at most {apart:.1e} apart.")
    targets.finish()


if __name__ == "__main__":
    main()
