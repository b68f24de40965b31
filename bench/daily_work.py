"""Whole commands over an empty store, against 443d240: `evaluate` of MRPC's dev set, and examples/fleet.toml.

    .venv/bin/python bench/daily_work.py [--what evaluate] [--runs 1] [--size minilm] [--glue ../shared/data/glue]

The commit is checked out into a temporary folder; both sides run under this Python and its packages, in pairs, each as
a whole process over a store of its own that is empty but for the prepared data, in environments that are made before it
is timed. "At work" is the processor time of the program and of all its stages, which other
work on the machine changes less than the wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from checking import program, surroundings
from common import ROOT, Measured, Targets, checked_out, interleaved, machine, measure, pair_of, print_table
from stage_runs import random_checkpoint, uncased_vocabulary

BEFORE = "443d240"
MOST = {"evaluate": 0.50, "fleet": 0.60}
TARGETS = "tf1,frozen,ir-fp32,ir-fp16,ir-int8,neuron-ready-float32,tf2"
"""Seven; all figures of a model that MRPC's table in docs/results.md has, but for float16 on a CPU."""

LENGTH = 128


class Bench:
    """Both sides over one checkpoint."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self._folder, self._what, self._models, self._targets = folder, args.what, args.models, args.targets
        self._code = {"now": ROOT, BEFORE: checked_out(BEFORE, folder / BEFORE)}
        self.taken: dict[str, list[Measured]] = {side: [] for side in self._code}
        self._number = 0
        for code in self._code.values():
            program(code, ["images"], artifacts=self._empty())
        if args.what == "fleet":
            for code in self._code.values():
                measure([sys.executable, code / "examples" / "make_checkpoints.py"], env=surroundings(code, folder))
            return
        self._checkpoint = random_checkpoint(folder, args.size, labels=2, vocab=uncased_vocabulary())
        data = folder / "MRPC"
        data.mkdir()
        for file in (args.glue / "MRPC").iterdir():
            shutil.copyfile(file, data / file.name)
        lines = (data / "dev.tsv").read_bytes().split(b"\n")
        (data / "dev.tsv").write_bytes(b"\n".join([*lines[: args.examples + 1], b""]))
        self._prepared = {}
        for side, code in self._code.items():
            artifacts = self._empty()
            asked = ["prepare-data", "--task", "MRPC", "--data", data, "--checkpoint", self._checkpoint]
            run = program(code, [*asked, "--max-seq-length", LENGTH, "--json"], artifacts=artifacts)
            told = [json.loads(line) for _, line in run.lines if line.startswith("{")]
            self._prepared[side] = next(event["path"] for event in reversed(told) if event["event"] == "result")

    def run(self, side: str) -> None:
        """One side, once."""
        code, artifacts = self._code[side], self._empty()
        if self._what == "fleet":
            words = ["build", "--file", code / "examples" / "fleet.toml", *self._models]
        else:
            words = ["evaluate", "--checkpoint", self._checkpoint, "--prepared", self._prepared[side]]
            words += ["--target", self._targets, "--max-drop", "1"]
        self.taken[side].append(program(code, words, artifacts=artifacts))

    def _empty(self) -> Path:
        self._number += 1
        folder = self._folder / f"artifacts-{self._number}"
        folder.mkdir()
        return folder


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=MOST, default="evaluate", help="which command (default: evaluate)")
    parser.add_argument("--runs", type=int, default=1, help="runs of each side (default: 1)")
    parser.add_argument("--size", default="minilm", help="evaluate: of random_checkpoint.py (default: minilm)")
    parser.add_argument("--glue", type=Path, default=ROOT.parent / "shared" / "data" / "glue", help="folder with MRPC")
    parser.add_argument("--examples", type=int, default=408, help="evaluate: of MRPC's dev set (default: all, 408)")
    parser.add_argument("--targets", default=TARGETS, help=f"evaluate: of both sides (default: {TARGETS})")
    parser.add_argument("--models", nargs="*", default=[], help="fleet: some of its models (default: all)")
    args = parser.parse_args()
    os.chdir(ROOT)
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args)
        interleaved(args.runs, lambda: bench.run(BEFORE), lambda: bench.run("now"))
    shown = (
        f"{args.size}, {args.examples} examples of {LENGTH}; {args.targets}"
        if args.what == "evaluate"
        else "examples/fleet.toml"
    )
    shown += "".join(f", {name}" for name in args.models)
    print(f"{machine()}; {shown}; {args.runs} pairs, medians\n")
    pair = pair_of(bench.taken["now"], bench.taken[BEFORE])
    judged = targets.at_most(f"{args.what}, now / {BEFORE}", pair.ratio, MOST[args.what])
    rows = [
        [BEFORE, f"{pair.seconds_before:.1f}", "", f"{pair.work_before:.1f}", "", ""],
        ["now", f"{pair.seconds:.1f}", f"{pair.ratio:.2f}", f"{pair.work:.1f}", f"{pair.work_ratio:.2f}", judged],
    ]
    print_table(["side", "s", "ratio", "at work, s", "ratio", "target"], rows)
    targets.finish()


if __name__ == "__main__":
    main()
