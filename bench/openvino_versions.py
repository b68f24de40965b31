"""Latency of the fp32 IR in OpenVINO 2026.4 and 2024.6, each in its own environment.

    .venv/bin/python bench/openvino_versions.py [--model minilm-l6] [--runs 60]

One IR, written by 2026.4, which both read. The two processes stay, and answer in turn (A B, B A, …), so that other work
on the machine meets both alike. CPU, float32, latency hint.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from common import ROOT, Asked, Targets, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns

from bertbuild.backends import of_version, versions

SHAPES = ((1, 128), (4, 128))
MOST = 1.0
WARM_UPS = 5


class Worker(Asked):
    """An IR in one version of OpenVINO, compiled for one shape's sake and kept."""

    def __init__(self, version: str, ir: Path, shape: tuple[int, int]) -> None:
        python = StageRuns(of_version("openvino", version), ir).program("python")
        command = [python, ROOT / "bench" / "openvino_versions_worker.py"]
        super().__init__(command, {"ir": str(ir / "model.xml"), "shape": shape})


def build(model: str) -> Path:
    """The fp32 IR by the version that is used unasked."""
    command = [Path(sys.executable).with_name("invoke"), "build-ir", "--model", model, "--isolation", "venv", "--json"]
    return Path(json.loads(measure(command, cwd=ROOT).lines[-1][1])["targets"][0]["path"])


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="minilm-l6")
    parser.add_argument("--ir", type=lambda text: Path(text).absolute(), help="folder of an IR (default: built)")
    parser.add_argument("--runs", type=int, default=60)
    args = parser.parse_args()
    os.chdir(ROOT)
    ir = args.ir or build(args.model)
    new, old = versions("openvino")[:2]
    targets, rows = Targets(), []
    for shape in SHAPES:
        workers = {version: Worker(version, ir, shape) for version in (new, old)}
        for turn in range(args.runs + WARM_UPS):
            for worker in workers.values() if turn % 2 else reversed(workers.values()):
                worker()
        times = {version: worker.times[WARM_UPS:] for version, worker in workers.items()}
        equal = workers[new].answers == workers[old].answers
        for worker in workers.values():
            worker.end()
        ratio = paired_ratio(times[new], times[old])
        what = f"batch {shape[0]}, length {shape[1]}"
        verdict = targets.at_most(f"{what}: {new} ÷ {old}", ratio, MOST)
        figures = [f"{median(times[version]):.2f}" for version in (new, old)]
        rows.append((what, *figures, f"{ratio:.3f}", verdict, "yes" if equal else "no"))
    print(f"{machine()}; float32, {args.model}; medians of {args.runs} inferences in turn\n")
    print_table(("", f"{new}, ms", f"{old}, ms", "ratio", "target", "same bytes"), rows)
    targets.finish()


if __name__ == "__main__":
    main()
