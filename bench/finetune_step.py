"""A training step of finetune against upstream's script run directly: python -m bert.run_classifier on MRPC.

    .venv/bin/python bench/finetune_step.py [--size tiny] [--runs 5] [--batch 8] [--glue ../shared/data/glue]

Both sides are whole programs in the virtual environment of tf1, in turn (A B, B A, …), on the same checkpoint of random
weights and the same records, which are those that upstream's script wrote. What is timed is read from the TensorBoard
files that both write: the time from step 100 to step 300, with all that goes on beside the steps (ours keeps
checkpoints, writes its history and tells its progress).
Make the environment first: `invoke images --backend tf1 --isolation venv`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from common import ROOT, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns, random_checkpoint

MOST = 1.02
FIRST, LAST = 100, 300
"""Steps whose summaries upstream's Estimator writes, one in a hundred; now and then it counts one more."""

LENGTH = 128
EXAMPLES = 3668
THEIRS, OURS = "python -m bert.run_classifier", "finetune"
READ_EVENTS = """
import glob, json, sys
import tensorflow as tf
times = {}
for path in glob.glob(sys.argv[1] + "/events.out.tfevents.*"):
    for event in tf.compat.v1.train.summary_iterator(path):
        if any(value.tag == "loss_1" for value in event.summary.value):
            times[event.step] = event.wall_time
print(json.dumps(times))
"""


class Bench:
    """Both programs over one checkpoint and one set of records."""

    def __init__(self, folder: Path, size: str, batch: int, glue: Path) -> None:
        self._stages = StageRuns("tf1", folder)
        self._folder = folder
        self._batch = batch
        self._glue = glue
        self._checkpoint = random_checkpoint(folder, size)
        self.taken: dict[str, list[float]] = {THEIRS: [], OURS: []}

    def theirs(self) -> None:
        """Upstream's script."""
        out = self._stages.empty("theirs")
        command = [
            *(self._stages.program("python"), "-m", "bert.run_classifier", "--task_name=MRPC", "--do_train=true"),
            f"--data_dir={self._glue / 'MRPC'}",
            f"--bert_config_file={self._checkpoint / 'bert_config.json'}",
            f"--vocab_file={self._checkpoint / 'vocab.txt'}",
            f"--init_checkpoint={self._checkpoint / 'bert_model.ckpt'}",
            *(f"--max_seq_length={LENGTH}", f"--output_dir={out}", *self._flags()),
        ]
        measure(command, env=self._stages.environment(out))
        self.taken[THEIRS].append(self._step_seconds(out))

    def ours(self) -> None:
        """The stage."""
        flags = (f"--checkpoint={self._checkpoint}", f"--data={self._data()}", "--do_eval=false", "--gelu=tanh")
        out, _ = self._stages.run("finetune", "ours", *flags, *self._flags())
        self.taken[OURS].append(self._step_seconds(out / "events"))

    def _flags(self) -> tuple[str, ...]:
        epochs = (LAST + 2) * self._batch / EXAMPLES
        return f"--train_batch_size={self._batch}", f"--num_train_epochs={epochs:.6f}", "--learning_rate=2e-5"

    def _data(self) -> Path:
        """What upstream's script prepared, as a prepared folder."""
        folder = self._folder / "data"
        if not folder.exists():
            folder.mkdir()
            shutil.copyfile(self._folder / "theirs" / "train.tf_record", folder / "train.tf_record")
            told = {
                "task": "MRPC",
                "task_type": "classification",
                "labels": ["0", "1"],
                "max_seq_length": LENGTH,
                "do_lower_case": True,
                "vocab_sha256": hashlib.sha256((self._checkpoint / "vocab.txt").read_bytes()).hexdigest(),
            }
            (folder / "prepared.json").write_text(json.dumps(told), encoding="utf-8")
        return folder

    def _step_seconds(self, events: Path) -> float:
        read = measure([self._stages.program("python"), "-W", "ignore", "-c", READ_EVENTS, events])
        times = {int(step): float(time) for step, time in json.loads(read.lines[-1][1]).items()}
        first, last = (min(times, key=lambda step: abs(step - wanted)) for wanted in (FIRST, LAST))
        return (times[last] - times[first]) / (last - first)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="tiny", help="of random_checkpoint.py (default: tiny)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default: 5)")
    parser.add_argument("--batch", type=int, default=8, help="train_batch_size of both (default: 8)")
    parser.add_argument("--glue", type=Path, default=ROOT.parent / "shared" / "data" / "glue", help="folder with MRPC")
    args = parser.parse_args()
    if not (args.glue / "MRPC" / "train.tsv").is_file():
        sys.exit(f"{args.glue} has no MRPC/train.tsv; name a folder that has: --glue FOLDER")
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args.size, args.batch, args.glue.resolve())
        bench.theirs()  # what ours needs, and a page cache for both
        bench.ours()
        bench.taken = {name: [] for name in bench.taken}
        interleaved(args.runs, bench.theirs, bench.ours)
    print(f"{machine()}; {args.size}, batch {args.batch}, {LENGTH} tokens; medians of {args.runs} paired runs\n")
    ratio = paired_ratio(bench.taken[OURS], bench.taken[THEIRS])
    judged = targets.at_most("a step of ours", ratio, MOST, digits=3)
    rows = [
        [THEIRS, f"{median(bench.taken[THEIRS]):.4f}", "", ""],
        [OURS, f"{median(bench.taken[OURS]):.4f}", f"{ratio:.3f}", judged],
    ]
    print_table(("program", "s a step", "÷ theirs", "target"), rows)
    targets.finish()


if __name__ == "__main__":
    main()
