"""What --bucket-by-length costs in accuracy: `finetune` and `train` with and without it, over several seeds.

    .venv/bin/python bench/bucketing.py [--backend tf1] [--seeds 1 2 3] [--found FILE]

The model is small, two layers of 128 units, and begins with random weights. In so few steps it learns nothing of MRPC
beyond the majority class, and then there is nothing to compare; so it learns which of STS-B's sources a pair of
sentences is from. Every fourth pair is in the dev set. By default these are three sources, as many pairs of each length
of each, so that length tells nothing of the class (in MRPC it tells little). `--all` takes all 8,628 pairs of nine
sources, which differ in length: batches of like length have few classes, which is the hardest case. Both sides run the
stage with the same flags and seeds, in turn. With --found figures are kept in a file, and what is there is not trained
again, so that seeds may be run one at a time.
Make the environments first: `invoke images --isolation venv --backend tf1` (and tf2, data).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean

from common import ROOT, Measured, Targets, machine, print_table
from stage_runs import StageRuns, random_checkpoint, uncased_vocabulary

MOST = 0.005
USUAL, BUCKETED = "upstream's order", "--bucket-by-length"
SIDES = {USUAL: "false", BUCKETED: "true"}
LENGTH = 128
TEXT, PAIR, LABEL = "sentence1", "sentence2", "filename"
ALIKE = ("headlines", "images", "MSRvid")
"""Sources whose pairs have the same lengths, but for how many there are of each."""
IN_DEV = 4
"""One pair of so many."""


class Bench:
    """Trainings of one small model on one set of records."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self._stages = StageRuns(args.backend, folder)
        self._backend, self._args = args.backend, args
        self._checkpoint = random_checkpoint(folder, "tiny", vocab=uncased_vocabulary())
        labels = write_task(pairs(args.glue / "STS-B", every=args.all), folder / "task")
        words = [f"--data={folder / 'task'}", "--task=own", f"--text-column={TEXT}", f"--text-pair-column={PAIR}"]
        words += [f"--label-column={LABEL}", f"--labels={','.join(labels)}", f"--max-seq-length={LENGTH}"]
        vocab = f"--vocab={self._checkpoint / 'vocab.txt'}"
        self._data, _ = StageRuns("data", folder).run("prepare-data", "data", *words, vocab)
        if args.backend == "tf2":
            self._encoder, _ = self._stages.run("convert-tf2", "encoder", f"--checkpoint={self._checkpoint}")

    def accuracy(self, seed: int, bucketed: str) -> tuple[float, Measured]:
        """Of one training; and what that took, with its evaluation."""
        out, run = (self._train if self._backend == "tf2" else self._finetune)(seed, bucketed)
        lines = (out / "eval_results.txt").read_text(encoding="utf-8").splitlines()
        figures = dict(line.split(" = ") for line in lines)
        return float(figures["eval_accuracy"]), run

    def _finetune(self, seed: int, bucketed: str) -> tuple[Path, Measured]:
        args = self._args
        flags = [f"--checkpoint={self._checkpoint}", f"--data={self._data}", f"--num_train_epochs={args.epochs}"]
        flags += [f"--train_batch_size={args.batch}", "--eval_batch_size=32", f"--learning_rate={args.learning_rate}"]
        flags += ["--gelu=tanh", f"--seed={seed}", f"--bucket_by_length={bucketed}"]
        return self._stages.run("finetune", "out", *flags)

    def _train(self, seed: int, bucketed: str) -> tuple[Path, Measured]:
        args = self._args
        flags = [f"--init-checkpoint={self._encoder}", f"--config={self._checkpoint / 'bert_config.json'}"]
        flags += [f"--vocab={self._checkpoint / 'vocab.txt'}", f"--data={self._data}", "--gelu=tanh"]
        flags += [f"--num-train-epochs={args.epochs}", f"--train-batch-size={args.batch}"]
        flags += [f"--learning-rate={args.learning_rate}", f"--seed={seed}", f"--bucket-by-length={bucketed}"]
        return self._stages.run("train", "out", *flags)


def pairs(source: Path, *, every: bool) -> list[dict[str, str]]:
    """Pairs of STS-B, shuffled: its files are sorted by source, and training shuffles 100 rows at a time."""
    found = []
    for name in ("train.tsv", "dev.tsv", "test.tsv"):
        with (source / name).open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            found += [{column: row[column] for column in (TEXT, PAIR, LABEL)} for row in rows]
    random.Random(0).shuffle(found)  # noqa: S311 - not for secrets
    return found if every else of_like_lengths(found)


def of_like_lengths(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The pairs of the sources in `ALIKE`, as many of each length of each."""
    by_length: dict[int, dict[str, list[int]]] = defaultdict(lambda: {name: [] for name in ALIKE})
    for number, row in enumerate(rows):
        if row[LABEL] in ALIKE:
            length = len(re.findall(r"\w+|[^\w\s]", f"{row[TEXT]} {row[PAIR]}"))
            by_length[length][row[LABEL]].append(number)
    kept = set()
    for of_sources in by_length.values():
        fewest = min(map(len, of_sources.values()))
        kept |= {number for numbers in of_sources.values() for number in numbers[:fewest]}
    return [row for number, row in enumerate(rows) if number in kept]


def write_task(rows: list[dict[str, str]], folder: Path) -> list[str]:
    """train.jsonl and dev.jsonl in a new folder; gives the labels, the most frequent first."""
    folder.mkdir()
    split = {"dev": rows[::IN_DEV], "train": [row for number, row in enumerate(rows) if number % IN_DEV]}
    for name, some in split.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    return [label for label, _ in Counter(row[LABEL] for row in rows).most_common()]


def majority(rows: list[dict[str, str]]) -> float:
    """The share of the most frequent label in the dev set."""
    labels = [row[LABEL] for row in rows[::IN_DEV]]
    return Counter(labels).most_common(1)[0][1] / len(labels)


def main() -> None:
    """Train, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("tf1", "tf2"), default="tf1", help="finetune's or train's (default: tf1)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="(default: 1 2 3)")
    parser.add_argument("--all", action="store_true", help="all sources, whose lengths differ (default: three)")
    parser.add_argument("--epochs", type=int, default=6, help="num_train_epochs (default: 6)")
    parser.add_argument("--batch", type=int, default=16, help="train_batch_size (default: 16)")
    parser.add_argument("--learning-rate", type=float, default=3e-4, help="(default: 3e-4)")
    parser.add_argument("--found", type=Path, help="file that keeps figures between runs (default: none)")
    parser.add_argument("--glue", type=Path, default=ROOT.parent / "shared" / "data" / "glue", help="folder with STS-B")
    args = parser.parse_args()
    args.glue = args.glue.resolve()
    if not (args.glue / "STS-B" / "train.tsv").is_file():
        sys.exit(f"{args.glue} has no STS-B/train.tsv; name a folder that has: --glue FOLDER")
    os.chdir(ROOT)
    # Figures of other settings are others.
    settings = f"{args.backend}, {args.epochs} epochs, batch {args.batch}, learning rate {args.learning_rate:g}"
    settings += ", all sources" if args.all else ""
    kept = json.loads(args.found.read_text(encoding="utf-8")) if args.found and args.found.exists() else {}
    found = kept.setdefault(settings, {})
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args)
        for seed in args.seeds:
            for side, value in SIDES.items():
                if f"{seed} {side}" in found:
                    continue
                accuracy, run = bench.accuracy(seed, value)
                found[f"{seed} {side}"] = accuracy
                took = f"{run.seconds:.0f} s, {run.cpu_seconds:.0f} s of the processor"
                print(f"seed {seed}, {side}: {accuracy:.4f} ({took})", file=sys.stderr, flush=True)
                if args.found:
                    args.found.write_text(json.dumps(kept), encoding="utf-8")
    rows = pairs(args.glue / "STS-B", every=args.all)
    print(f"{machine()}; {settings}; {len(rows)} pairs, the majority class alone has {majority(rows):.4f}\n")
    taken = {side: [found[f"{seed} {side}"] for seed in args.seeds] for side in SIDES}
    lower = mean(taken[USUAL]) - mean(taken[BUCKETED])
    targets = Targets()
    judged = targets.at_most("what bucketing costs in mean accuracy", lower, MOST, digits=3)
    table = [
        [side, *(f"{value:.4f}" for value in values), f"{mean(values):.4f}", *ends]
        for (side, values), ends in zip(taken.items(), (("", ""), (f"{lower:.4f}", judged)), strict=True)
    ]
    print_table(["batches", *(f"seed {seed}" for seed in args.seeds), "mean", "lower by", "target"], table)
    targets.finish()


if __name__ == "__main__":
    main()
