"""Latency of bertbuild's fp32 IR of MiniLM against the IR Optimum-Intel exports from the same weights.

    .venv/bin/python bench/latency.py [--runs 100] [--ir FOLDER --sequence-ir FOLDER] [--profile]

Both IRs answer the same ids in one process, on one OpenVINO 2024.6.0 (CPU, float32, latency hint), in turn: A B, B A,
and so on. Optimum's export gives the last hidden state, so bertbuild's `--output sequence` IR is the one judged; its
default IR, which gives the pooled output, is told too. Also told: whether the answers agree, and which operators run.
What it needs is made where missing: the IRs (virtual environments), and an environment with Optimum-Intel.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import ROOT, Targets, machine, measure, median, paired_ratio, print_table

from bertbuild.config import load_settings
from bertbuild.isolation.interpreters import find_interpreter

MODEL = "minilm-l6"
REQUIREMENTS = ROOT / "bench" / "optimum-requirements.txt"
SHAPES = ((1, 128), (4, 128))
MOST = 1.0
MOST_DIFFERENCE = 1e-4
OURS, POOLED, THEIRS = "bertbuild", "bertbuild, pooled", "Optimum-Intel"
UNFUSED = {"Erf", "Power", "MatMul", "SoftMax", "Softmax"}
"""Layers that run where gelu or attention is left in pieces; fused, they are part of a FullyConnected or a Subgraph."""


def absolute(text: str) -> Path:
    """A path of the command line, as seen from the folder the program is started in."""
    return Path(text).absolute()


def optimum_environment() -> Path:
    """The environment with Optimum-Intel, made if it is not there; kept beside bertbuild's own."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    path = load_settings().environments / f"bench-optimum-{digest}"
    done = path / "done"
    if not done.exists():
        print(f"making {path.name}; this takes minutes", file=sys.stderr)
        shutil.rmtree(path, ignore_errors=True)
        interpreter, _ = find_interpreter("3.11")
        measure([interpreter, "-m", "venv", path])
        measure([path / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS])
        done.touch()
    return path


def export(environment: Path, weights: Path, out: Path) -> Path:
    """Optimum-Intel's IR of a Hugging Face folder, as its command line makes it."""
    command: list[object] = ["export", "openvino", "--model", weights, "--task", "feature-extraction"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "PATH": f"{environment / 'bin'}:{os.environ['PATH']}"}
    measure([environment / "bin" / "optimum-cli", *command, "--weight-format", "fp32", out], env=env)
    return out / "openvino_model.xml"


def build(output: str, name: str) -> Path:
    """The fp32 IR with one output, as `invoke build-ir` makes it."""
    command = [Path(sys.executable).with_name("invoke"), "build-ir", "--model", MODEL, "--isolation", "venv", "--json"]
    lines = measure([*command, "--output", output, "--name", name], cwd=ROOT).lines
    result = json.loads(lines[-1][1])
    return Path(result["targets"][0]["path"])


def compare(environment: Path, models: dict[str, Path], **request: Any) -> dict[str, Any]:
    """What latency_worker.py answers."""
    text = json.dumps({"models": {name: str(path) for name, path in models.items()}, **request})
    command = [environment / "bin" / "python", ROOT / "bench" / "latency_worker.py"]
    answer = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(answer.stdout))


def print_operators(answers: dict[str, Any]) -> None:
    """Layers that run, by type; constants, inputs and outputs left out."""
    kinds = sorted({kind for answer in answers.values() for kind in answer["operators"]} - {"Const", "Input", "Output"})
    print(f"\nlayers of the compiled model, batch {SHAPES[0][0]}, free shapes\n")
    print_table(
        ("layer", *answers),
        [[kind, *(answer["operators"].get(kind, 0) for answer in answers.values())] for kind in kinds],
    )
    for name, answer in answers.items():
        ran = {row[0] for row in answer["profile"]}
        left = ", ".join(sorted(ran & UNFUSED)) or "none"
        print(f"\n{name}: layer norms as MVN: {answer['operators'].get('MVN', 0)}; parts of gelu or attention: {left}")


def print_profile(answers: dict[str, Any]) -> None:
    """Where the time of the last inference went."""
    for name, answer in answers.items():
        print(f"\n{name}, the last inference by layer\n")
        rows = [(*row[:3], f"{row[3]:.2f}") for row in answer["profile"][:12]]
        print_table(("layer", "kernel", "count", "ms"), rows)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100, help="inferences of each model and shape (default: 100)")
    parser.add_argument("--ir", type=absolute, help="folder of the IR with pooled_output (default: built)")
    parser.add_argument("--sequence-ir", type=absolute, help="folder of the IR with sequence_output (default: built)")
    parser.add_argument("--weights", type=absolute, help="their Hugging Face folder (default: as fetched)")
    parser.add_argument("--profile", action="store_true", help="also tell where the time goes")
    args = parser.parse_args()
    os.chdir(ROOT)  # where bertbuild.toml and artifacts/ are looked for
    environment = optimum_environment()
    sequence = args.sequence_ir or build("sequence", f"{MODEL}-sequence")
    pooled = args.ir or build("pooled", MODEL)
    weights = args.weights or load_settings().artifacts / "downloads" / MODEL

    targets = Targets()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models = {
            OURS: sequence / "model.xml",
            THEIRS: export(environment, weights, Path(folder)),
            POOLED: pooled / "model.xml",
        }
        for shape in SHAPES:
            for fixed in (False, True):
                answer = compare(environment, models, shape=shape, fixed=fixed, runs=args.runs)
                times = {name: answer[name]["milliseconds"] for name in models}
                ratio = paired_ratio(times[OURS], times[THEIRS])
                what = f"batch {shape[0]}, length {shape[1]}, {'fixed' if fixed else 'free'} shapes"
                difference = answer[THEIRS]["max_abs"]
                verdict = targets.at_most(f"{what}: bertbuild ÷ Optimum-Intel", ratio, MOST)
                targets.at_most(f"{what}: difference of the answers", difference, MOST_DIFFERENCE, 6)
                figures = [f"{median(times[name]):.2f}" for name in (OURS, THEIRS)]
                rows.append(
                    (what, *figures, f"{ratio:.3f}", verdict, f"{median(times[POOLED]):.2f}", f"{difference:.0e}")
                )
        profiled = compare(environment, models, shape=SHAPES[0], fixed=False, runs=20, profile=True)

    print(f"{machine()}; OpenVINO 2024.6.0, float32, {MODEL}; medians of {args.runs} interleaved inferences\n")
    print_table(("", f"{OURS}, ms", f"{THEIRS}, ms", "ratio", "target", f"{POOLED}, ms", "answers differ by"), rows)
    print_operators(profiled)
    if args.profile:
        print_profile(profiled)
    targets.finish()


if __name__ == "__main__":
    main()
