"""Latency of bertbuild's fp32 IRs against the IR that Optimum-Intel exports from the same weights.

    .venv/bin/python bench/latency.py [--openvino 2026.4,2024.6] [--sizes minilm,base] [--cores 1,2] [--runs 100]
                                      [--operators] [--profile]

Checkpoints are of random weights, of the sizes of MiniLM and base. The stage ir-direct writes two IRs of each: the last
layer's hidden states, which Optimum-Intel's export gives too, and the pooled output alone. All three answer the same
ids, 1 x 128, in one process, in turn: A B C, C B A, and so on; free shapes, float32, latency hint. The share of the
peak is the fastest inference's arithmetic a second over that of the fastest large matrix product, of OpenVINO or NumPy,
on the same cores in the same minutes. Make our environments first: `invoke images --backend
data,openvino,openvino@2024.6`; one with Optimum-Intel is made where it is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import optimum_intel
from common import ROOT, Targets, machine, median, paired_ratio, print_table
from random_checkpoint import SIZES
from stage_runs import StageRuns, random_checkpoint

SHAPE = (1, 128)
MOST_SEQUENCE, MOST_POOLED, MOST_DIFFERENCE = 1.0, 0.95, 1e-4
OURS, POOLED, THEIRS = "bertbuild", "bertbuild, pooled", "Optimum-Intel"
BACKENDS = {"2026.4": "openvino", "2024.6": "openvino@2024.6"}


def make(folder: Path, version: str, size: str) -> dict[str, str]:
    """The three models of one checkpoint: name → .xml."""
    openvino = StageRuns(BACKENDS[version], folder)
    checkpoint = random_checkpoint(folder, size)
    flags = (f"--checkpoint={checkpoint}", "--gelu=erf")
    sequence, _ = openvino.run("ir-direct", "sequence", *flags, "--output=sequence")
    pooled, _ = openvino.run("ir-direct", "pooled", *flags, "--output=pooled")
    weights = optimum_intel.weights(checkpoint, folder)
    exported = optimum_intel.export(optimum_intel.environment(version), weights, folder / "optimum")
    return {OURS: str(sequence / "model.xml"), THEIRS: str(exported), POOLED: str(pooled / "model.xml")}


def compare(version: str, models: dict[str, str], **request: Any) -> dict[str, Any]:
    """What latency_worker.py answers."""
    text = json.dumps({"models": models, "shape": SHAPE, **request})
    command = [StageRuns(BACKENDS[version], ROOT).program("python"), ROOT / "bench" / "latency_worker.py"]
    # NumPy takes the kernels of this processor, not those that an older build of OpenBLAS was told of.
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")} | {"CI": "true"}
    env["OPENBLAS_NUM_THREADS"] = str(request["cores"])
    answer = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True, env=env)
    return dict(json.loads(answer.stdout))


def gflop(size: str) -> float:
    """Of the matrix products of one inference that gives all positions: two operations for each product of numbers."""
    layers, hidden = SIZES[size]
    positions = SHAPE[0] * SHAPE[1]
    return 2 * layers * positions * (12 * hidden**2 + 2 * SHAPE[1] * hidden) / 1e9


def row(what: str, size: str, answer: dict[str, Any], targets: Targets) -> list[str]:
    """One line of the table, judged."""
    times = {name: found["milliseconds"] for name, found in answer["models"].items()}
    sequence, pooled = (paired_ratio(times[ours], times[THEIRS]) for ours in (OURS, POOLED))
    share = gflop(size) / (min(times[OURS]) / 1e3) / answer["gflops"]
    difference = answer["models"][THEIRS]["max_abs"]
    targets.at_most(f"{what}: difference of the answers", difference, MOST_DIFFERENCE, 6)
    return [
        what,
        *(f"{median(times[name]):.2f}" for name in (THEIRS, OURS, POOLED)),
        f"{sequence:.3f}",
        targets.at_most(f"{what}: {OURS} ÷ {THEIRS}", sequence, MOST_SEQUENCE, 3),
        f"{pooled:.3f}",
        targets.at_most(f"{what}: {POOLED} ÷ {THEIRS}", pooled, MOST_POOLED, 3),
        f"{share:.0%} of {answer['gflops']:.0f}",
        f"{difference:.0e}",
    ]


def print_operators(title: str, answers: dict[str, Any]) -> None:
    """Layers that run, by type; constants, inputs and outputs left out."""
    kinds = sorted({kind for answer in answers.values() for kind in answer["operators"]} - {"Const", "Input", "Output"})
    print(f"\n{title}: layers of the compiled model\n")
    print_table(
        ("layer", *answers),
        [[kind, *(answer["operators"].get(kind, 0) for answer in answers.values())] for kind in kinds],
    )


def print_profile(title: str, answers: dict[str, Any]) -> None:
    """Where the time of the last inference went."""
    for name, answer in answers.items():
        print(f"\n{title}: {name}, the last inference by layer\n")
        print_table(("layer", "kernel", "count", "ms"), [(*one[:3], f"{one[3]:.2f}") for one in answer["profile"][:12]])


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openvino", default=",".join(BACKENDS), help="versions (default: both)")
    parser.add_argument("--sizes", default="minilm,base", help="of random_checkpoint.py (default: minilm,base)")
    parser.add_argument("--cores", default="1,2", help="how many cores all run on (default: 1,2)")
    parser.add_argument("--runs", type=int, default=100, help="inferences of each model (default: 100)")
    parser.add_argument("--operators", action="store_true", help="also count the layers of the compiled models")
    parser.add_argument("--profile", action="store_true", help="also tell where the time goes")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets, rows = Targets(), []
    for version in args.openvino.split(","):
        for size in args.sizes.split(","):
            with tempfile.TemporaryDirectory() as folder:
                models = make(Path(folder), version, size)
                for cores in map(int, args.cores.split(",")):
                    answer = compare(version, models, cores=cores, runs=args.runs)
                    rows.append(row(f"{version}, {size}, cores: {cores}", size, answer, targets))
                if args.operators:
                    print_operators(f"{version}, {size}", answer["models"])
                if args.profile:
                    profiled = compare(version, models, cores=1, runs=20, profile=True)
                    print_profile(f"{version}, {size}", profiled["models"])
    print(f"\n{machine()}; float32, 1 x 128, free shapes; medians of {args.runs} interleaved inferences, in ms\n")
    told = ("ratio", "target", "pooled, ratio", "target", "share of GEMM peak, GFLOP/s", "answers differ by")
    print_table(("", THEIRS, OURS, POOLED, *told), rows)
    targets.finish()


if __name__ == "__main__":
    main()
