"""What other operators would change of an fp32 IR's latency: attention, projections, layer norms, layout of weights.

    .venv/bin/python bench/operator_choices.py [--openvino 2026.4,2024.6] [--size minilm] [--cores 1,2] [--runs 200]

Every form is the same model of random weights, written by ir-direct's writer with one thing changed, and answers
1 x 128, in turn, free shapes, float32. Told is the time of an inference, its ratio to that of the writer's own form
(median of the pairs), how far the answers are from that form's, and the layers that the CPU plug-in runs. The form that
is there twice tells how far a ratio may be off by chance. On one core the time is the processor's, which other work on
the machine changes less; on more it is the clock's, since threads that wait take processor time too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
from typing import Any

from common import ROOT, machine, median, paired_ratio, print_table
from latency import BACKENDS, SHAPE
from random_checkpoint import SIZES, config
from stage_runs import StageRuns

FIRST = "as it is"
SHOWN = ("FullyConnected", "Subgraph", "MVN", "Eltwise", "Transpose", "Reshape", "Split")


def measured(version: str, size: str, cores: int, runs: int) -> dict[str, Any]:
    """What operator_choices_worker.py answers."""
    layers, hidden = SIZES[size]
    heads = config(layers, hidden)["num_attention_heads"]
    request = {"layers": layers, "hidden": hidden, "heads": heads, "shape": SHAPE, "cores": cores, "runs": runs}
    places = [ROOT, ROOT / "docker" / "common", ROOT / "docker" / "openvino"]
    env = os.environ | {"CI": "true", "PYTHONPATH": os.pathsep.join(map(str, places))}
    command = [StageRuns(BACKENDS[version], ROOT).program("python"), ROOT / "bench" / "operator_choices_worker.py"]
    done = subprocess.run(command, input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True, env=env)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openvino", default=",".join(BACKENDS), help="versions (default: both)")
    parser.add_argument("--size", choices=SIZES, default="minilm", help="of random_checkpoint.py (default: minilm)")
    parser.add_argument("--cores", default="1,2", help="how many cores all run on (default: 1,2)")
    parser.add_argument("--runs", type=int, default=200, help="inferences of each form (default: 200)")
    args = parser.parse_args()
    for version, cores in itertools.product(args.openvino.split(","), map(int, args.cores.split(","))):
        answer = measured(version, args.size, cores, args.runs)
        first = answer[FIRST]["milliseconds"]
        rows = []
        for name, found in answer.items():
            off = "" if found["max_abs"] is None else f"{found['max_abs']:.0e}"
            layers = [str(found["operators"].get(kind, 0)) for kind in SHOWN]
            ratio = paired_ratio(found["milliseconds"], first)
            rows.append((name, f"{median(found['milliseconds']):.2f}", f"{ratio:.3f}", off, *layers))
        what = f"OpenVINO {version}, {args.size}, 1 x 128, cores: {cores}"
        print(f"\n{machine()}; {what}; {args.runs} inferences in turn\n")
        time = "processor time, ms" if cores == 1 else "ms"
        print_table(("form", time, "ratio", "answers differ by", *SHOWN), rows)


if __name__ == "__main__":
    main()
