"""Questions of SQuAD's dev set: every fp32 target's answers beside run_squad's own, and what the IR's take.

    .venv/bin/python bench/squad_slice.py [--size minilm] [--questions 200] [--runs 3] [--batch 8]
                                          [--squad ../shared/data/squad/dev-v1.1.json]
                                          [--vocab ../shared/data/vocab/uncased.vocab.txt]

The model has random weights (a trained one is not at hand), and a span head of large ones, so that the logits of places
lie far apart. Theirs is `python -m bert.run_squad --do_predict=true` of bert-tensorflow under TensorFlow 1.15, a
whole program from text to predictions.json. Ours are the three stages of `evaluate`, each a whole program:
squad-examples, infer of the IR, score. Both run in turn (A B, B A, …), on the same text, 384 pieces and strides of 128.
Seconds of the processor stand beside, which other work on the machine changes less. Then `evaluate` asks every fp32
target, and each question's answer is compared with run_squad's.
Make the environments first: `invoke images --isolation venv`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, Measured, Targets, interleaved, machine, measure, median, paired_ratio, print_table
from random_checkpoint import SIZES, config, tensors
from stage_runs import StageRuns

from bertbuild.checkpoint.writer import write_checkpoint

MOST, ALIKE = 0.35, 0.999
LENGTH, STRIDE = 384, 128
TARGETS = ("frozen", "ir-fp32", "neuron-ready-float32", "tf2")
THEIRS, OURS = "python -m bert.run_squad", "squad-examples, infer of ir-fp32, score"


def main() -> None:
    """Print both tables, and end with 1 where a target is missed."""
    data = ROOT.parent / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", choices=SIZES, default="minilm")
    parser.add_argument("--questions", type=int, default=200, help="at least so many, of whole paragraphs")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--squad", type=Path, default=data / "squad" / "dev-v1.1.json")
    parser.add_argument("--vocab", type=Path, default=data / "vocab" / "uncased.vocab.txt")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        questions = slice_of(args.squad, args.questions, folder / "slice.json")
        bench = Bench(folder, checkpoint(folder / "model", args.size, args.vocab), args.batch)
        targets = bench.evaluated()
        (bench.ir,) = (folder / "artifacts" / "objects").glob(f"ir*/{targets['ir-fp32']['keys']['result']}")
        interleaved(args.runs, bench.theirs, bench.ours)
        bench.report(targets, f"{machine()}; {args.size} size, {questions} questions, batch {args.batch}")


def slice_of(squad: Path, most: int, path: Path) -> int:
    """Write the first paragraphs of a SQuAD file, until there are so many questions; gives how many there are."""
    kept: list[dict[str, Any]] = []
    for article in json.loads(squad.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            if sum(len(one["qas"]) for one in kept) < most:
                kept.append(paragraph)
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "slice", "paragraphs": kept}]}), encoding="utf-8")
    return sum(len(one["qas"]) for one in kept)


def checkpoint(folder: Path, size: str, vocab: Path) -> Path:
    """A checkpoint of random weights with a span head; gives its folder."""
    layers, hidden = SIZES[size]
    chance = np.random.default_rng(0)
    folder.mkdir()
    shutil.copyfile(vocab, folder / "vocab.txt")
    (folder / "bert_config.json").write_text(json.dumps(config(layers, hidden)), encoding="utf-8")
    head = {
        "cls/squad/output_weights": (chance.standard_normal((2, hidden)) * 0.3).astype(np.float32),
        "cls/squad/output_bias": np.zeros(2, np.float32),
    }
    write_checkpoint(folder / "bert_model.ckpt", {**tensors(layers, hidden), **head})
    return folder


class Bench:
    """Both programs over one checkpoint and one slice."""

    def __init__(self, folder: Path, model: Path, batch: int) -> None:
        self._folder, self._model, self._batch = folder, model, batch
        self._data, self._tf1, self._openvino = (StageRuns(name, folder) for name in ("data", "tf1", "openvino"))
        self.ir = Path()
        self.taken: dict[str, list[float]] = {THEIRS: [], OURS: []}
        self.processor: dict[str, list[float]] = {THEIRS: [], OURS: []}
        self.parts: dict[str, list[float]] = {}
        self.answers: dict[str, dict[str, str]] = {}

    def evaluated(self) -> dict[str, Any]:
        """What `evaluate` says of each target; keeps their answers."""
        words = ["--checkpoint", self._model, "--squad-data-file", self._folder / "slice.json", "--batch-size"]
        words += [self._batch, "--target", ",".join(TARGETS), "--max-drop", "1", "--isolation", "venv", "--json"]
        store = self._folder / "artifacts"
        environment = {**os.environ, "BERTBUILD_ARTIFACTS": str(store)}
        done = measure([sys.executable, "-m", "bertbuild", "evaluate", *words], env=environment, cwd=ROOT)
        events = [json.loads(line) for _, line in done.lines if line.startswith("{")]
        found = next(event for event in events if event["event"] == "evaluation")
        rows = {row["target"]: row for row in found["targets"]}
        for name, row in rows.items():
            path = store / "objects" / "score" / row["keys"]["score"] / "predictions.json"
            self.answers[name] = json.loads(path.read_text(encoding="utf-8"))
        return rows

    def theirs(self) -> None:
        """Upstream's script."""
        out, work = self._tf1.empty("theirs"), self._tf1.empty("theirs-work")
        flags = {
            "do_predict": "true",
            "do_train": "false",
            "predict_file": self._folder / "slice.json",
            "bert_config_file": self._model / "bert_config.json",
            "vocab_file": self._model / "vocab.txt",
            "init_checkpoint": self._model / "bert_model.ckpt",
            "output_dir": out,
            "max_seq_length": LENGTH,
            "doc_stride": STRIDE,
            "predict_batch_size": self._batch,
        }
        command = [self._tf1.program("python"), "-m", "bert.run_squad", *(f"--{k}={v}" for k, v in flags.items())]
        done = measure(command, env=self._tf1.environment(work), cwd=work)
        self.taken[THEIRS].append(done.seconds)
        self.processor[THEIRS].append(done.cpu_seconds)
        self.answers[THEIRS] = json.loads((out / "predictions.json").read_text(encoding="utf-8"))

    def ours(self) -> None:
        """The three stages."""
        questions = (f"--data={self._folder / 'slice.json'}", f"--vocab={self._model / 'vocab.txt'}")
        sizes = (f"--max-seq-length={LENGTH}", f"--doc-stride={STRIDE}")
        self._of_processor = 0.0
        examples = self._kept("squad-examples", self._data.run("squad-examples", "examples", *questions, *sizes))
        asked = (f"--ir={self.ir}", f"--examples={examples}", f"--batch-size={self._batch}")
        answers = self._kept("infer", self._openvino.run("infer", "answers", *asked))
        judged = ("--head=span", f"--examples={examples}", f"--answers={answers}")
        self._kept("score", self._data.run("score", "score", *judged))
        self.taken[OURS].append(sum(taken[-1] for taken in self.parts.values()))
        self.processor[OURS].append(self._of_processor)

    def _kept(self, name: str, made: tuple[Path, Measured]) -> Path:
        self.parts.setdefault(name, []).append(made[1].seconds)
        self._of_processor += made[1].cpu_seconds
        return made[0]

    def report(self, rows: dict[str, Any], title: str) -> None:
        """Print what was found, and end the program."""
        targets = Targets()
        print(f"\n{title}\n")
        theirs = self.answers.pop(THEIRS)
        table = []
        for name, answers in self.answers.items():
            same = sum(answers[question] == text for question, text in theirs.items()) / len(theirs)
            verdict = targets.at_most(f"share of {name}'s answers that differ", 1 - same, 1 - ALIKE, digits=4)
            max_abs = rows[name]["max_abs"]
            table.append([name, f"{same:.2%}", f"{max_abs:.1e}" if max_abs is not None else "–", verdict])
        print_table(["target", "same answer as run_squad's", "max abs of logits to tf1", "differing"], table)
        ratio = paired_ratio(self.taken[OURS], self.taken[THEIRS])
        parts = ", ".join(f"{name} {median(seconds):.1f}" for name, seconds in self.parts.items())
        both = ((THEIRS, ""), (OURS, parts))
        print()
        print_table(
            ["from text to predictions.json", "seconds (median)", "of the processor", ""],
            [
                *(
                    [name, f"{median(self.taken[name]):.1f}", f"{median(self.processor[name]):.1f}", more]
                    for name, more in both
                ),
                [
                    "ours / theirs, paired",
                    f"{ratio:.3f}",
                    f"{paired_ratio(self.processor[OURS], self.processor[THEIRS]):.3f}",
                    targets.at_most("the ratio", ratio, MOST),
                ],
            ],
        )
        targets.finish()


if __name__ == "__main__":
    main()
