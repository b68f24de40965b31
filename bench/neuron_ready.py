"""The Neuron-ready SavedModel against the exported one it replaces: operators, latency on a CPU, memory to make it.

    .venv/bin/python bench/neuron_ready.py [--runs 20]

Checkpoints of random weights with a head of two classes, base-size and BERT-Large's size. The stages export and
neuron-ready run as processes of their own in the virtual environment of tf1; both SavedModels of the base-size
checkpoint, float32, then answer one batch of 4 x 128 in one process, in turn: A B, B A, and so on.
Make the environment first: `invoke images --backend tf1 --isolation venv`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from common import MIB, ROOT, Targets, machine, median, paired_ratio, print_table
from stage_runs import StageRuns, checkpoint_bytes, random_checkpoint

BATCH, SEQ_LEN = 4, 128
MOST_OPERATORS, MOST_LATENCY, MOST_MEMORY = 0.75, 0.9, 3.0
UNWANTED = ("Assert", "RandomUniform", "Shape", "StridedSlice")


def facts(path: Path) -> dict[str, Any]:
    """What a stage says of its result."""
    return dict(json.loads((path / "stage.json").read_text(encoding="utf-8"))["facts"])


def compare(python: Path, models: dict[str, Path], runs: int) -> dict[str, Any]:
    """What neuron_ready_worker.py answers."""
    request = {"models": {name: str(path) for name, path in models.items()}, "batch": BATCH, "seq_len": SEQ_LEN}
    answer = subprocess.run(
        [python, "-W", "ignore", ROOT / "bench" / "neuron_ready_worker.py"],
        input=json.dumps({**request, "runs": runs}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return dict(json.loads(answer.stdout))


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="answers of each model (default: 20)")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        stages = StageRuns("tf1", Path(folder))
        base = f"--checkpoint={random_checkpoint(Path(folder), 'base', labels=2)}"
        exported, export_run = stages.run("export", "exported", base)
        ready, ready_run = stages.run("neuron-ready", "ready", base, "--dtype=float32")
        whole, whole_run = stages.run(
            "neuron-ready", "whole", base, "--dtype=float32", "--output=probabilities,sequence"
        )
        models = {"exported": exported, "neuron-ready": ready, "with sequence_output": whole}
        answers = compare(stages.program("python"), models, args.runs)
        large_checkpoint = random_checkpoint(Path(folder), "large", labels=2)
        _, large_run = stages.run("neuron-ready", "large-ready", f"--checkpoint={large_checkpoint}")
        large_bytes = checkpoint_bytes(large_checkpoint)
        device = facts(ready)["device_operators"]

    print(f"{machine()}; TensorFlow 1.15.5; base-size, float32, batch {BATCH}, sequence length {SEQ_LEN}\n")
    counts = {name: sum(answer["operators"].values()) for name, answer in answers.items()}
    rows = []
    for name, made in zip(models, (export_run, ready_run, whole_run), strict=True):
        answer = answers[name]
        rows.append(
            [
                name,
                counts[name],
                f"{median(answer['times']):.0f} ms",
                f"{paired_ratio(answer['times'], answers['exported']['times']):.3f}",
                f"{answer['max_abs']:.1e}",
                f"{made.seconds:.1f} s",
            ]
        )
    print_table(("SavedModel", "compute operators", "latency", "÷ exported", "max abs", "time to make"), rows)

    operators = counts["neuron-ready"] / counts["exported"]
    latency = paired_ratio(answers["neuron-ready"]["times"], answers["exported"]["times"])
    memory = large_run.peak_bytes / large_bytes
    print("\n")
    unwanted = sum(device.get(name, 0) for name in UNWANTED)
    print_table(
        ("figure", "value", "target"),
        [
            [
                "operators, neuron-ready ÷ exported",
                f"{operators:.2f}",
                targets.at_most("operators", operators, MOST_OPERATORS),
            ],
            [
                f"{', '.join(UNWANTED)} in the device part",
                unwanted,
                targets.at_most("unwanted operators", unwanted, 0, 0),
            ],
            ["latency, neuron-ready ÷ exported", f"{latency:.2f}", targets.at_most("latency", latency, MOST_LATENCY)],
            [
                f"peak memory ÷ checkpoint of {large_bytes / MIB:.0f} MiB (BERT-Large, {large_run.seconds:.0f} s)",
                f"{memory:.2f}",
                targets.at_most("peak memory", memory, MOST_MEMORY),
            ],
        ],
    )
    targets.finish()


if __name__ == "__main__":
    main()
