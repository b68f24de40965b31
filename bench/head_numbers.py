"""How far every head's answers are from the checkpoint's own graph, by target and precision, on a real size.

    .venv/bin/python bench/head_numbers.py [--size minilm] [--heads classifier,span,…] [--targets frozen,ir-fp32,…]
                                           [--deviation 0.02] [--glue ../shared/data/glue/MRPC]
                                           [--vocab ../shared/data/vocab/uncased.vocab.txt]

The checkpoints are the training graphs of run_classifier, run_squad, run_pretraining and their forks
(tests/integration/scripts/make_head_graphs.py) with the weights that their initialisers draw; the heads' own have the
standard deviation that BERT's initialiser gives them, 0.02, unless --deviation says another. Each target is built and
judged by the gate, which asks the graph in the .meta; the table has the largest element of its answers, the largest
difference over all probes, and in brackets the smallest cosine where it is below 0.9995. A second table has how far the
graph in the .meta and the float32 targets are from the same model computed in float64
(tests/integration/numpy_bert.py). int8 is calibrated on MRPC's training examples.
Make the environments first: `invoke images --isolation venv`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, Targets, machine, print_table
from random_checkpoint import DEVIATION, SIZES, config
from stage_runs import StageRuns

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.heads.rows import HEADS
from bertbuild.kinds import KINDS

sys.path.append(str(ROOT / "tests" / "integration"))
from numpy_bert import NumpyBert

MODEL = ("bert/", "cls/", "output_")
ROLES = ("input_ids", "input_mask", "segment_ids")
SCRIPT = ROOT / "tests" / "integration" / "scripts" / "make_head_graphs.py"
GRAPHS = {
    "classifier": "run-classifier",
    "multi-label": "multi-label",
    "regression": "regression",
    "tokens": "tokens",
    "span": "run-squad",
    "masked-lm": "run-pretraining",
    "next-sentence": "run-pretraining",
}
TARGETS: dict[str, dict[str, str]] = {
    "frozen": {"kind": "frozen"},
    "ir-fp32": {"kind": "ir"},
    "saved-model": {"kind": "saved-model"},
    "neuron-ready-float32": {"kind": "neuron-ready", "compute": "float32"},
    "tf2-savedmodel": {"kind": "tf2-savedmodel"},
    "ir-fp16": {"kind": "ir", "precision": "fp16"},
    "ir-int8": {"kind": "ir", "precision": "int8", "calibration": "prepared"},
    "ir-int8-weights": {"kind": "ir", "precision": "int8-weights"},
    "ir-int4-weights": {"kind": "ir", "precision": "int4-weights"},
    "ir-int4-weights-32": {"kind": "ir", "precision": "int4-weights", "group_size": "32"},
    "neuron-ready-float16": {"kind": "neuron-ready"},
    "float32-tanh": {"kind": "neuron-ready", "compute": "float32", "gelu_approximation": "tanh"},
    "float16-tanh": {"kind": "neuron-ready", "gelu_approximation": "tanh"},
    "float32-sigmoid": {"kind": "neuron-ready", "compute": "float32", "gelu_approximation": "sigmoid"},
    "float16-sigmoid": {"kind": "neuron-ready", "gelu_approximation": "sigmoid"},
}
FLOAT32 = ("frozen", "ir-fp32", "saved-model", "neuron-ready-float32", "tf2-savedmodel")
LOGITS, OTHERS = 2e-5, 1e-5
"""What float32 targets may be off: logits; scores and probabilities."""
LENGTH = 128


def main() -> None:
    """Print the table, and end with 1 where a float32 target is farther off than it may be."""
    data = ROOT.parent / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", choices=SIZES, default="minilm")
    parser.add_argument("--heads", default=",".join(GRAPHS))
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--deviation", type=float, default=DEVIATION, help="of the weights of heads")
    parser.add_argument("--glue", type=Path, default=data / "glue" / "MRPC")
    parser.add_argument("--vocab", type=Path, default=data / "vocab" / "uncased.vocab.txt")
    args = parser.parse_args()
    heads, targets = args.heads.split(","), args.targets.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = graphs(folder, args.size, {GRAPHS[head] for head in heads}, args.deviation, args.vocab)
        if "ir-int8" in targets:
            prepare(folder, made / GRAPHS[heads[0]], args.glue)
        (folder / "numbers.toml").write_text(build_file(made, heads, targets), encoding="utf-8")
        events = bertbuild(folder, "build", "--file", str(folder / "numbers.toml"), "--keep-going", "--jobs", "2")
        title = f"{machine()}; {args.size} size, weights of heads {args.deviation:g}"
        print(f"\n{title}\n")
        precise = [target for target in targets if target in FLOAT32]
        rows = [
            row
            for head in heads
            for row in from_float64(folder / "artifacts", made / GRAPHS[head], args.size, head, precise)
        ]
        print_table(["answer, from float64", "its own graph", *precise], rows)
        report(events, heads, targets, folder / "artifacts")


def graphs(folder: Path, size: str, names: set[str], deviation: float, vocab: Path) -> Path:
    """The checkpoints, each with its .meta; gives their folder."""
    layers, hidden = SIZES[size]
    request = {
        "out": str(folder / "graphs"),
        "config": config(layers, hidden),
        "seed": 3,
        "length": LENGTH,
        "deviation": deviation,
        "names": sorted(names),
    }
    python = StageRuns("tf1", folder).program("python")
    done = subprocess.run([python, SCRIPT], input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    for name in names:
        (folder / "graphs" / name / "vocab.txt").write_bytes(vocab.read_bytes())
    return folder / "graphs"


def prepare(folder: Path, model: Path, glue: Path) -> None:
    """What int8 is calibrated on, as `prepared` in the folder."""
    words = ("--task", "MRPC", "--data", str(glue), "--checkpoint", str(model))
    made = bertbuild(folder, "prepare-data", *words, "--max-seq-length", str(LENGTH))[-1]["path"]
    (folder / "prepared").symlink_to(made)


def build_file(made: Path, heads: list[str], targets: list[str]) -> str:
    """Every target of every head."""
    lines = []
    for target in targets:
        lines += [f"[targets.{target}]", *(f'{key} = "{value}"' for key, value in TARGETS[target].items())]
    for head in heads:
        lines += [f"[models.{head}]", f'checkpoint = "{made / GRAPHS[head]}"', f"targets = {json.dumps(targets)}"]
        output = json.dumps([answer.output for answer in HEADS[head].answers])
        for target in targets:
            if KINDS[TARGETS[target]["kind"]].parameter_called("output"):
                lines += [f"[models.{head}.override.{target}]", f"output = {output}"]
    return "\n".join(lines)


def bertbuild(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The events of a command; one that ends badly is no error here, since a verdict may be bad."""
    environment = {**os.environ, "BERTBUILD_ARTIFACTS": str(folder / "artifacts"), "BERTBUILD_ISOLATION": "venv"}
    command = [sys.executable, "-m", "bertbuild", *words, "--json"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    for event in events:
        if event["event"] in ("failure", "error"):
            print(event["message"], event.get("next_step", ""), file=sys.stderr)
    return events


def from_float64(artifacts: Path, folder: Path, size: str, head: str, targets: list[str]) -> list[list[str]]:
    """For each answer of a head how far the source and each target are from the model in float64."""
    records = {}
    for target in targets:
        path = artifacts / "targets" / head / f"{target}.json"
        if path.exists():
            records[target] = json.loads(path.read_text(encoding="utf-8"))
    if not records:
        return []
    first = next(iter(records.values()))
    reader = CheckpointReader(folder / "bert_model.ckpt")
    tensors = {name: reader.tensor(name) for name in reader.entries if name.startswith(MODEL) and "/adam_" not in name}
    layers, hidden = SIZES[size]
    model = NumpyBert(tensors, heads=config(layers, hidden)["num_attention_heads"], activation="tanh")
    wanted = {probe: model.answer(feeds, (head,)) for probe, feeds in probes_of(artifacts, first).items()}
    answered = [answers_of(artifacts, first, "reference")]
    answered += [
        answers_of(artifacts, records[target], records[target]["target"]["answers"]) if target in records else {}
        for target in targets
    ]
    return [
        [f"{head}: {answer.output}", *(farthest(answers, wanted, answer.tensor) for answers in answered)]
        for answer in HEADS[head].answers
    ]


def farthest(answers: dict[str, Any], wanted: dict[str, Any], tensor: str) -> str:
    """The largest difference of an answer over all probes, asked as they are."""
    names = {f"{probe}/{tensor}": found[tensor] for probe, found in wanted.items()}
    off = [np.abs(answers[name] - value).max() for name, value in names.items() if name in answers]
    return f"{max(off):.1e}" if off else "–"


def answers_of(artifacts: Path, record: Any, step: str) -> dict[str, Any]:
    """The answers that a step of a target gave, by probe and name."""
    stage, key = record["results"][step]
    with np.load(artifacts / "objects" / stage / key / "answers.npz") as file:
        return dict(file)


def probes_of(artifacts: Path, record: Any) -> dict[str, dict[str, Any]]:
    """What was asked: name → role → int32 [B, S]."""
    (path,) = (step["inputs"]["probes"]["path"] for step in record["steps"] if step["id"] == "reference")
    probes = json.loads((artifacts / path).read_text(encoding="utf-8"))["probes"]
    return {probe["name"]: {role: np.array(probe[role], np.int32) for role in ROLES} for probe in probes}


def report(events: list[dict[str, Any]], heads: list[str], targets: list[str], artifacts: Path) -> None:
    """Print what was found, and end the program."""
    judged = Targets()
    verdicts = {(event["model"], event["target"]): event for event in events if event["event"] == "verdict"}
    if not verdicts:
        sys.exit("nothing was judged")
    print()
    table = []
    for head in heads:
        for answer in HEADS[head].answers:
            row = [f"{head}: {answer.output}", f"{largest(artifacts, head, targets, answer.tensor):.2g}"]
            for target in targets:
                rows = verdicts.get((head, target), {"rows": []})["rows"]
                found = [one for one in rows if one["output"] == answer.tensor]
                most = max((one["max_abs"] for one in found), default=None)
                cosine = min((one["cosine"] for one in found), default=1)
                row.append("–" if most is None else f"{most:.1e}" + (f" ({cosine:.3f})" if cosine < 0.9995 else ""))
                if target in FLOAT32 and most is not None:
                    limit = LOGITS if answer.tolerance == "logits" else OTHERS
                    judged.at_most(f"{head}'s {answer.output} in {target}", most, limit, digits=6)
            table.append(row)
    print_table(["answer", "largest", *targets], table)
    judged.finish()


def largest(artifacts: Path, head: str, targets: list[str], tensor: str) -> float:
    """The largest element of the source's answers of that name, over all probes; NaN where there is none."""
    for target in targets:
        record = artifacts / "targets" / head / f"{target}.json"
        if record.exists():
            stage, key = json.loads(record.read_text(encoding="utf-8"))["results"]["reference"]
            with np.load(artifacts / "objects" / stage / key / "answers.npz") as file:
                values = [np.abs(file[name]).max() for name in file.files if name.split("/")[-1] == tensor]
            if values:
                return float(max(values))
    return float("nan")


if __name__ == "__main__":
    main()
