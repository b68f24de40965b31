"""The stage convert-hf of a base-size checkpoint against the way that transformers still has.

    python3.11 -m venv VENV && VENV/bin/pip install -r bench/hf-peers-requirements.txt
    .venv/bin/python bench/convert_hf.py VENV/bin/python [--runs 3]

The other side is transformers 4.57.6 with torch and TensorFlow in one environment: BertForPreTraining,
load_tf_weights_in_bert, save_pretrained. Both are processes of their own, in turn: A B, B A, and so on. Both sides'
weights are read and compared. Weights are random. Make our environment first: `invoke images --backend data`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from common import MIB, ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns, checkpoint_bytes, random_checkpoint

from bertbuild.huggingface.safetensors import read_safetensors

MOST_TIME, MOST_MEMORY = 0.1, 0.3
HEADS = (
    "--heads=masked-lm:bert/embeddings/word_embeddings:cls/predictions/output_bias,"
    "next-sentence:cls/seq_relationship/output_weights:cls/seq_relationship/output_bias"
)
"""Those of BertForPreTraining."""
THEIRS, OURS = "transformers 4.57.6", "convert-hf"
SCRIPT = """
import sys
from transformers import BertConfig, BertForPreTraining
from transformers.models.bert.modeling_bert import load_tf_weights_in_bert

checkpoint, out = sys.argv[1:]
model = BertForPreTraining(BertConfig.from_json_file(checkpoint + "/bert_config.json"))
load_tf_weights_in_bert(model, model.config, checkpoint + "/bert_model.ckpt")
model.save_pretrained(out)
"""


class Bench:
    """The two programs over one checkpoint."""

    def __init__(self, folder: Path, python: Path, size: str) -> None:
        self._python = python
        self._stages = StageRuns("data", folder)
        self.checkpoint = random_checkpoint(folder, size)
        self.made: dict[str, Path] = {}
        self.taken: dict[str, list[Measured]] = {THEIRS: [], OURS: []}

    def theirs(self) -> None:
        """Transformers."""
        self.made[THEIRS] = self._stages.empty("theirs")
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1"}
        command = [self._python, "-c", SCRIPT, self.checkpoint, self.made[THEIRS]]
        self.taken[THEIRS].append(measure(command, env=env))

    def ours(self) -> None:
        """The stage."""
        path, taken = self._stages.run("convert-hf", "ours", f"--checkpoint={self.checkpoint}", HEADS)
        self.made[OURS] = path
        self.taken[OURS].append(taken)


def apart(left: Path, right: Path) -> tuple[int, float]:
    """How many tensors two folders have both, and the largest difference of these."""
    ours, theirs = (read_safetensors(folder / "model.safetensors") for folder in (left, right))
    both = sorted(ours.keys() & theirs.keys())
    return len(both), max(float(np.abs(ours[name].read() - theirs[name].read()).max()) for name in both)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", type=Path, help="a Python that has transformers 4.57.6, torch and TensorFlow")
    parser.add_argument("--size", default="base", help="of random_checkpoint.py (default: base)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side (default: 3)")
    args = parser.parse_args()
    python = args.python.absolute()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), python, args.size)
        interleaved(args.runs, bench.theirs, bench.ours)
        size = checkpoint_bytes(bench.checkpoint)
        both, difference = apart(bench.made[OURS], bench.made[THEIRS])

    print(f"{machine()}; {args.size}-size, a checkpoint of {size / MIB:.0f} MiB; medians of {args.runs} paired runs\n")
    rows = []
    for what, unit, most, get in (
        ("wall time", "s", MOST_TIME, lambda run: run.seconds),
        ("processor time", "s", None, lambda run: run.cpu_seconds),
        ("peak memory", "MiB", MOST_MEMORY, lambda run: run.peak_bytes / MIB),
    ):
        left, right = ([get(run) for run in bench.taken[side]] for side in (OURS, THEIRS))
        ratio = paired_ratio(left, right)
        judged = "" if most is None else targets.at_most(what, ratio, most)
        rows.append([f"{what}, {unit}", f"{median(left):.2f}", f"{median(right):.2f}", f"{ratio:.3f}", judged])
    print_table(("", OURS, THEIRS, "÷", "target"), rows)
    print(f"\n{both} tensors are in both, and differ by {difference:.1e} at most.")
    targets.finish()


if __name__ == "__main__":
    main()
