"""convert-tf2 and convert-tf1 of a base-size checkpoint against the Model Garden's own converter.

    .venv/bin/python bench/convert_tf2.py [--runs 5]

The other side is `python -m official.nlp.tools.tf2_bert_encoder_checkpoint_converter` in the virtual environment of
tf2, on the same checkpoint of random weights; ours are the stages convert-tf2 (format encoder) and convert-tf1 as
processes of their own, in the same environment, and the whole command `bertbuild convert-tf2` over an empty store, its
proof included (the source run by TensorFlow 1.15, the result by the Model Garden's classes, both compared), in turn:
A B, B A, and so on. Both sides' files are read back and compared.
Make the environments first: `invoke images --isolation venv --backend tf2` (and tf1).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from checking import program
from common import MIB, ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from stage_runs import StageRuns, checkpoint_bytes, random_checkpoint

from bertbuild.checkpoint.bundle import CheckpointReader

MOST_TIME, MOST_MEMORY, MOST_PROVED = 0.7, 2.5, 1.0
THEIRS, FORTH, BACK = "the Model Garden's converter", "convert-tf2", "convert-tf1"
PROVED = "bertbuild convert-tf2, with its proof"


class Bench:
    """The three programs over one checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stages = StageRuns("tf2", folder)
        self.checkpoint = random_checkpoint(folder, "base")
        self.taken: dict[str, list[Measured]] = {THEIRS: [], FORTH: [], BACK: [], PROVED: []}

    def theirs(self) -> None:
        """The Model Garden's converter."""
        out = self._stages.empty("theirs")
        command = [
            *(self._stages.program("python"), "-m", "official.nlp.tools.tf2_bert_encoder_checkpoint_converter"),
            f"--bert_config_file={self.checkpoint / 'bert_config.json'}",
            f"--checkpoint_to_convert={self.checkpoint / 'bert_model.ckpt'}",
            f"--converted_checkpoint_path={out / 'bert_model.ckpt'}",
        ]
        env = {**self._stages.environment(out), "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.taken[THEIRS].append(measure(command, env=env))

    def forth(self) -> None:
        """convert-tf2."""
        self.taken[FORTH].append(self._stages.run("convert-tf2", "forth", f"--checkpoint={self.checkpoint}")[1])

    def back(self) -> None:
        """convert-tf1, of what convert-tf2 made."""
        self.taken[BACK].append(self._stages.run("convert-tf1", "back", f"--tf2={self._folder / 'forth'}")[1])

    def proved(self) -> None:
        """The whole command, whose store is empty."""
        words: list[object] = ["convert-tf2", "--checkpoint", self.checkpoint]
        self.taken[PROVED].append(program(ROOT, words, artifacts=self._stages.empty("artifacts")))

    def compare(self) -> tuple[int, bool]:
        """How many tensors of both converters are alike, all of them; whether the way back gave the same file."""
        ours = CheckpointReader(self._folder / "forth" / "bert_model.ckpt")
        theirs = CheckpointReader(self._folder / "theirs" / "bert_model.ckpt-1")
        names = [name for name, entry in theirs.entries.items() if entry.dtype == "float32"]
        for name in names:
            np.testing.assert_array_equal(ours.tensor(name), theirs.tensor(name))
        back = CheckpointReader(self._folder / "back" / "bert_model.ckpt")
        source = CheckpointReader(self.checkpoint / "bert_model.ckpt")
        same = all(np.array_equal(back.tensor(name), source.tensor(name)) for name in back.entries)
        return len(names), same and bool(back.entries)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (default: 5)")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.forth()  # what the others need, and a page cache for both
        bench.theirs()
        bench.taken = {name: [] for name in bench.taken}
        interleaved(args.runs, bench.theirs, bench.forth, bench.back, bench.proved)
        alike, same = bench.compare()
        size = checkpoint_bytes(bench.checkpoint)

    print(f"{machine()}; base-size, a checkpoint of {size / MIB:.0f} MiB; medians of {args.runs} paired runs\n")
    seconds = {name: [run.seconds for run in runs] for name, runs in bench.taken.items()}
    rows = []
    for name, runs in bench.taken.items():
        peak = median([run.peak_bytes for run in runs])
        row = [name, f"{median(seconds[name]):.2f}", f"{peak / MIB:.0f}", f"{peak / size:.2f} × checkpoint"]
        if name != THEIRS:
            ratio = paired_ratio(seconds[name], seconds[THEIRS])
            most = MOST_PROVED if name == PROVED else MOST_TIME
            row += [f"{ratio:.2f}", targets.at_most(f"{name}'s time", ratio, most)]
            row.append("" if name == PROVED else targets.at_most(f"{name}'s memory", peak / size, MOST_MEMORY))
        rows.append([*row, *[""] * (7 - len(row))])
    print_table(("program", "s", "peak MiB", "", "÷ theirs", "time", "memory"), rows)
    print(f"\n{alike} tensors of both converters are equal, bit for bit; the way back gives the source's: {same}")
    targets.finish()


if __name__ == "__main__":
    main()
