"""What --bucket-by-length costs in accuracy: `finetune` and `train` on MRPC with and without it, over several seeds.

    .venv/bin/python bench/bucketing.py --checkpoint FOLDER [--backend tf1] [--layers 2] [--seeds 1 2 3] [--found FILE]

The checkpoint is a real one, of which the first layers are taken: weights of chance learn nothing of MRPC in so few
steps, and then there is nothing to compare. Judged is the mean accuracy over MRPC's dev and test set together (2,133
pairs; the test set's labels are in msr_paraphrase_test.txt), since 408 pairs say little of half a point. Both sides run
the stage with the same flags and seeds, one after the other. With --found figures of seeds are kept in a file, and
those that are there are not trained again, so that seeds may be run one at a time.
Make the environments first: `invoke images --isolation venv --backend tf1` (and tf2, data).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import mean

from common import ROOT, Targets, machine, print_table
from stage_runs import StageRuns

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.writer import write_checkpoint

MOST = 0.005
USUAL, BUCKETED = "upstream's order", "--bucket-by-length"
SIDES = {USUAL: "false", BUCKETED: "true"}
LENGTH = 128
PREFIX = "bert_model.ckpt"


class Bench:
    """Trainings of one small model on one set of records."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self._stages = StageRuns(args.backend, folder)
        self._backend, self._args = args.backend, args
        self._checkpoint = first_layers(args.checkpoint.resolve(), folder / "small", args.layers)
        words = ("--task=MRPC", f"--data={mrpc(args.glue / 'MRPC', folder / 'glue')}", f"--max-seq-length={LENGTH}")
        vocab = f"--vocab={self._checkpoint / 'vocab.txt'}"
        self._data, _ = StageRuns("data", folder).run("prepare-data", "data", *words, vocab)
        if args.backend == "tf2":
            source = f"--checkpoint={self._checkpoint}"
            self._encoder, _ = self._stages.run("convert-tf2", "encoder", source, "--gelu=erf")

    def accuracy(self, seed: int, bucketed: str) -> tuple[float, float]:
        """Of one training; and its seconds, evaluation included."""
        run = self._train if self._backend == "tf2" else self._finetune
        out, seconds = run(seed, bucketed)
        lines = (out / "eval_results.txt").read_text(encoding="utf-8").splitlines()
        figures = dict(line.split(" = ") for line in lines)
        return float(figures["eval_accuracy"]), seconds

    def _finetune(self, seed: int, bucketed: str) -> tuple[Path, float]:
        args = self._args
        flags = [f"--checkpoint={self._checkpoint}", f"--data={self._data}", f"--num_train_epochs={args.epochs}"]
        flags += [f"--train_batch_size={args.batch}", "--eval_batch_size=32", f"--learning_rate={args.learning_rate}"]
        flags += ["--gelu=erf", f"--seed={seed}", f"--bucket_by_length={bucketed}"]
        out, run = self._stages.run("finetune", "out", *flags)
        return out, run.seconds

    def _train(self, seed: int, bucketed: str) -> tuple[Path, float]:
        args = self._args
        flags = [f"--init-checkpoint={self._encoder}", f"--config={self._checkpoint / 'bert_config.json'}"]
        flags += [f"--vocab={self._checkpoint / 'vocab.txt'}", f"--data={self._data}", "--gelu=erf"]
        flags += [f"--num-train-epochs={args.epochs}", f"--train-batch-size={args.batch}"]
        flags += [f"--learning-rate={args.learning_rate}", f"--seed={seed}", f"--bucket-by-length={bucketed}"]
        out, run = self._stages.run("train", "out", *flags)
        return out, run.seconds


def first_layers(source: Path, folder: Path, count: int) -> Path:
    """A checkpoint of the encoder's first `count` layers, its embeddings and its pooler, in a new folder."""
    folder.mkdir()
    config = json.loads((source / "bert_config.json").read_text(encoding="utf-8"))
    (folder / "bert_config.json").write_text(json.dumps(config | {"num_hidden_layers": count}), encoding="utf-8")
    shutil.copyfile(source / "vocab.txt", folder / "vocab.txt")
    reader = CheckpointReader(source / PREFIX)
    layer = "bert/encoder/layer_"
    kept = [
        name
        for name in reader.entries
        if name.startswith("bert/") and (not name.startswith(layer) or int(name[len(layer) :].split("/")[0]) < count)
    ]
    write_checkpoint(folder / PREFIX, {name: reader.tensor(name) for name in kept})
    return folder


def mrpc(source: Path, folder: Path) -> Path:
    """MRPC's files, the test set's pairs with their labels behind the dev set's, in a new folder."""
    folder.mkdir()
    for name in ("train.tsv", "test.tsv"):
        shutil.copyfile(source / name, folder / name)
    labelled = (source / "msr_paraphrase_test.txt").read_bytes().split(b"\n", 1)[1]
    (folder / "dev.tsv").write_bytes((source / "dev.tsv").read_bytes().rstrip(b"\n") + b"\n" + labelled)
    return folder


def main() -> None:
    """Train, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="a trained one, of which layers are taken")
    parser.add_argument("--backend", choices=("tf1", "tf2"), default="tf1", help="finetune's or train's (default: tf1)")
    parser.add_argument("--layers", type=int, default=2, help="how many are taken (default: 2)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="(default: 1 2 3)")
    parser.add_argument("--epochs", type=int, default=3, help="num_train_epochs (default: 3)")
    parser.add_argument("--batch", type=int, default=16, help="train_batch_size (default: 16)")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="(default: 1e-4)")
    parser.add_argument("--found", type=Path, help="file that keeps figures between runs (default: none)")
    parser.add_argument("--glue", type=Path, default=ROOT.parent / "shared" / "data" / "glue", help="folder with MRPC")
    args = parser.parse_args()
    args.glue = args.glue.resolve()
    os.chdir(ROOT)
    # Figures of other settings are others.
    settings = f"{args.backend}, {args.layers} layers, {args.epochs} epochs, batch {args.batch}, {args.learning_rate:g}"
    kept = json.loads(args.found.read_text(encoding="utf-8")) if args.found and args.found.exists() else {}
    found = kept.setdefault(settings, {})
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args)
        for seed in args.seeds:
            for side, value in SIDES.items():
                if f"{seed} {side}" in found:
                    continue
                accuracy, seconds = bench.accuracy(seed, value)
                found[f"{seed} {side}"] = accuracy
                print(f"seed {seed}, {side}: {accuracy:.4f} ({seconds:.0f} s)", file=sys.stderr, flush=True)
                if args.found:
                    args.found.write_text(json.dumps(kept), encoding="utf-8")
    print(f"{machine()}; {settings}\n")
    taken = {side: [found[f"{seed} {side}"] for seed in args.seeds] for side in SIDES}
    lower = mean(taken[USUAL]) - mean(taken[BUCKETED])
    targets = Targets()
    judged = targets.at_most("what bucketing costs in mean accuracy", lower, MOST, digits=3)
    rows = [
        [side, *(f"{value:.4f}" for value in values), f"{mean(values):.4f}", *ends]
        for (side, values), ends in zip(taken.items(), (("", ""), (f"{lower:.4f}", judged)), strict=True)
    ]
    print_table(["batches", *(f"seed {seed}" for seed in args.seeds), "mean", "lower by", "target"], rows)
    targets.finish()


if __name__ == "__main__":
    main()
