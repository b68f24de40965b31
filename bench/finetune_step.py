"""A training step of finetune, or of train, against upstream's script on MRPC.

    .venv/bin/python bench/finetune_step.py [--backend tf1] [--size tiny] [--runs 3] [--batch 16] [--steps 40]

Whole programs in the virtual environment of tf1 (`python -m bert.run_classifier`) or tf2 (`python -m
official.legacy.bert.run_classifier`), in turn (A B C, C B A, …), on the same checkpoint of random weights, with the
vocabulary of the uncased models, and the same records, which are those that upstream's script of tf1 wrote. Ours runs
twice: with upstream's batches in upstream's order, and with --bucket_by_length. What is timed is read from what each
program tells of its steps: the time from step 4 to the last one, with all that goes on beside the steps (ours keeps
checkpoints, writes its history and tells its progress). The processor time between both is read from /proc meanwhile;
other work on the machine changes it less.
Make the environments first: `invoke images --isolation venv --backend tf1` (and tf2).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from common import ROOT, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns, random_checkpoint, uncased_vocabulary

MOST = {"tf1": 0.70, "tf2": 0.75}
MOST_BUCKETED = 0.50
FIRST = 4
"""The step after which time counts: the graph is built, and every kernel has run."""

SECONDS_BETWEEN_LOOKS = 0.05
LENGTH = 128
EXAMPLES = 3668
THEIRS, OURS, BUCKETED = "upstream's script", "ours", "ours, --bucket_by_length"
EVERY_STEP = """
import runpy, sys
import tensorflow as tf
tf.estimator.RunConfig.save_summary_steps = property(lambda config: 1)
sys.argv[0] = "run_classifier"
runpy.run_module("bert.run_classifier", run_name="__main__", alter_sys=True)
"""
"""Upstream's script, which writes of one step in a hundred how it went, made to write of each."""

TOLD = """
import functools, runpy, sys, time
from official.legacy.bert import run_classifier
import tf_keras
class Told(tf_keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("STEP", batch + 1, time.time(), flush=True)
main = functools.partial(run_classifier.custom_main, custom_callbacks=[Told()])
from absl import app, flags
flags.mark_flag_as_required("bert_config_file")
flags.mark_flag_as_required("input_meta_data_path")
flags.mark_flag_as_required("model_dir")
sys.argv[0] = "run_classifier"
app.run(lambda _: main())
"""
"""The Model Garden's script, as its own lines start it, with a callback that tells each step."""

READ_EVENTS = """
import glob, json, sys
import tensorflow as tf
times = {}
for path in glob.glob(sys.argv[1] + "/**/events.out.tfevents.*", recursive=True):
    for event in tf.compat.v1.train.summary_iterator(path):
        if any(value.tag in ("loss_1", "loss") for value in event.summary.value):
            times[event.step] = event.wall_time
print(json.dumps(times))
"""


class Bench:
    """The programs over one checkpoint and one set of records."""

    def __init__(self, folder: Path, backend: str, size: str, batch: int, steps: int, glue: Path) -> None:
        self._stages = StageRuns(backend, folder)
        self._tf1 = StageRuns("tf1", folder)
        self._folder, self._backend = folder, backend
        self._batch, self._steps = batch, steps
        self._glue = glue
        self._checkpoint = random_checkpoint(folder, size, vocab=uncased_vocabulary())
        self.taken: dict[str, list[float]] = {THEIRS: [], OURS: [], BUCKETED: []}
        self.worked: dict[str, list[float]] = {side: [] for side in self.taken}

    def sides(self) -> tuple[Callable[[], None], ...]:
        """What is run in turn."""
        if self._backend == "tf1":
            return self.theirs, lambda: self.ours(OURS), lambda: self.ours(BUCKETED, "--bucket_by_length=true")
        self._encoder = self._stages.run("convert-tf2", "encoder", f"--checkpoint={self._checkpoint}")[0]
        return self.garden, lambda: self.train(OURS), lambda: self.train(BUCKETED, "--bucket-by-length=true")

    def theirs(self) -> None:
        """google-research/bert's script."""
        out = self._tf1.empty("theirs")
        command = [
            *(self._tf1.program("python"), "-c", EVERY_STEP, "--task_name=MRPC", "--do_train=true"),
            f"--data_dir={self._glue / 'MRPC'}",
            f"--bert_config_file={self._checkpoint / 'bert_config.json'}",
            f"--vocab_file={self._checkpoint / 'vocab.txt'}",
            f"--init_checkpoint={self._checkpoint / 'bert_model.ckpt'}",
            *(f"--max_seq_length={LENGTH}", f"--output_dir={out}", *self._flags()),
        ]
        with AtWork() as at_work:
            measure(command, env=self._tf1.environment(out))
        self._count(THEIRS, self._events(out), at_work)

    def ours(self, side: str, *more: str) -> None:
        """The stage finetune."""
        flags = (f"--checkpoint={self._checkpoint}", f"--data={self._data()}", "--do_eval=false", "--gelu=tanh")
        with AtWork() as at_work:
            out, _ = self._stages.run("finetune", "ours", *flags, *self._flags(), *more)
        self._count(side, self._events(out / "events"), at_work)

    def garden(self) -> None:
        """The Model Garden's script."""
        out = self._stages.empty("theirs-tf2")
        data = self._data()
        command = [
            *(self._stages.program("python"), "-c", TOLD, "--mode=train_and_eval", f"--model_dir={out}"),
            f"--bert_config_file={self._checkpoint / 'bert_config.json'}",
            f"--init_checkpoint={self._encoder / 'bert_model.ckpt'}",
            f"--train_data_path={data / 'train.tf_record'}",
            f"--eval_data_path={data / 'eval.tf_record'}",
            f"--input_meta_data_path={data / 'meta_data.json'}",
            *(f"--train_batch_size={self._batch}", "--num_train_epochs=1", "--steps_per_loop=1"),
            "--distribution_strategy=one_device",
        ]
        env = {**self._stages.environment(out), "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        with AtWork() as at_work:
            lines = measure(command, env=env).lines
        found = re.findall(
            r"STEP (\d+) ([\d.]+)", "\n".join(line for _, line in lines)
        )  # bars of progress are there too
        self._count(THEIRS, {int(step): float(when) for step, when in found}, at_work)

    def train(self, side: str, *more: str) -> None:
        """The stage train."""
        flags = (f"--init-checkpoint={self._encoder}", f"--config={self._checkpoint / 'bert_config.json'}")
        flags += (f"--vocab={self._checkpoint / 'vocab.txt'}", f"--data={self._data()}", "--num-train-epochs=1")
        flags += (f"--train-batch-size={self._batch}", "--gelu=tanh")
        with AtWork() as at_work:
            out, _ = self._stages.run("train", "ours", *flags, *more)
        self._count(side, self._events(out / "events"), at_work)

    def _flags(self) -> tuple[str, ...]:
        epochs = (self._steps + 0.5) * self._batch / EXAMPLES
        return f"--train_batch_size={self._batch}", f"--num_train_epochs={epochs:.6f}", "--learning_rate=2e-5"

    def _data(self) -> Path:
        """What upstream's script prepared, as a prepared folder; of train as many records as there are steps for."""
        folder = self._folder / "data"
        if folder.exists():
            return folder
        folder.mkdir()
        count = EXAMPLES if self._backend == "tf1" else self._steps * self._batch
        with (self._folder / "theirs" / "train.tf_record").open("rb") as records:
            found = [_record(records) for _ in range(count)]
        (folder / "train.tf_record").write_bytes(b"".join(found))
        (folder / "eval.tf_record").write_bytes(b"".join(found[: self._batch]))
        told = {
            "task": "MRPC",
            "task_type": "classification",
            "labels": ["0", "1"],
            "max_seq_length": LENGTH,
            "do_lower_case": True,
            "vocab_sha256": hashlib.sha256((self._checkpoint / "vocab.txt").read_bytes()).hexdigest(),
        }
        (folder / "prepared.json").write_text(json.dumps(told), encoding="utf-8")
        meta = {"task_type": "bert_classification", "num_labels": 2, "max_seq_length": LENGTH}
        meta |= {"train_data_size": count, "eval_data_size": self._batch, "processor_type": "MRPC"}
        (folder / "meta_data.json").write_text(json.dumps(meta), encoding="utf-8")
        return folder

    def _events(self, folder: Path) -> dict[int, float]:
        read = measure([self._tf1.program("python"), "-W", "ignore", "-c", READ_EVENTS, folder])
        return {int(step): float(time) for step, time in json.loads(read.lines[-1][1]).items()}

    def _count(self, side: str, times: dict[int, float], at_work: AtWork) -> None:
        first, last = (min(times, key=lambda step: abs(step - wanted)) for wanted in (FIRST, self._steps))
        self.taken[side].append((times[last] - times[first]) / (last - first))
        self.worked[side].append((at_work.until(times[last]) - at_work.until(times[first])) / (last - first))


class AtWork:
    """The processor time of the program that this one runs meanwhile, at any moment of its run."""

    def __init__(self) -> None:
        self._found: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(threading.get_native_id(),))

    def __enter__(self) -> AtWork:  # noqa: PYI034 - typing has Self from Python 3.11 on
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """The program has ended."""
        self._ended.set()
        self._thread.join()

    def until(self, moment: float) -> float:
        """Processor seconds until a moment of the clock."""
        return float(np.interp(moment, *zip(*self._found, strict=True)))

    def _watch(self, thread: int) -> None:
        children = Path(f"/proc/self/task/{thread}/children")
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            with contextlib.suppress(OSError):  # it has ended between both looks
                for child in children.read_text(encoding="utf-8").split():
                    words = Path("/proc", child, "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                    self._found.append((time.time(), (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")))


def _record(file: BinaryIO) -> bytes:
    """The next record of a TFRecord file, with its frame."""
    head = file.read(12)
    return head + file.read(int.from_bytes(head[:8], "little") + 4)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=MOST, default="tf1", help="whose training (default: tf1)")
    parser.add_argument("--size", default="tiny", help="of random_checkpoint.py (default: tiny)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side (default: 3)")
    parser.add_argument("--batch", type=int, default=16, help="train_batch_size of all (default: 16)")
    parser.add_argument("--steps", type=int, default=40, help="training steps of a run (default: 40)")
    parser.add_argument("--glue", type=Path, default=ROOT.parent / "shared" / "data" / "glue", help="folder with MRPC")
    args = parser.parse_args()
    if not (args.glue / "MRPC" / "train.tsv").is_file():
        sys.exit(f"{args.glue} has no MRPC/train.tsv; name a folder that has: --glue FOLDER")
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args.backend, args.size, args.batch, args.steps, args.glue.resolve())
        bench.theirs()  # what ours needs, and a page cache for all
        for figures in (bench.taken, bench.worked):
            figures[THEIRS].clear()
        interleaved(args.runs, *bench.sides())
    shape = f"{args.size}, batch {args.batch}, {LENGTH} tokens, {args.steps} steps"
    print(f"{machine()}; {args.backend}, {shape}; medians of {args.runs} paired runs\n")
    rows = [[THEIRS, f"{median(bench.taken[THEIRS]):.4f}", "", f"{median(bench.worked[THEIRS]):.4f}", "", ""]]
    for side, most in ((OURS, MOST[args.backend]), (BUCKETED, MOST_BUCKETED)):
        ratio, worked = (paired_ratio(figures[side], figures[THEIRS]) for figures in (bench.taken, bench.worked))
        judged = targets.at_most(f"a step of {side}", ratio, most)
        seconds = [f"{median(figures[side]):.4f}" for figures in (bench.taken, bench.worked)]
        rows.append([side, seconds[0], f"{ratio:.3f}", seconds[1], f"{worked:.3f}", judged])
    print_table(("program", "s a step", "÷ theirs", "of the processor, s", "÷ theirs", "target"), rows)
    targets.finish()


if __name__ == "__main__":
    main()
