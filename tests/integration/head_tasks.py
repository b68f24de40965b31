"""Small tasks of every kind of head, as a user's own files, and checkpoints trained on them for a few steps.

`tuned_heads` of conftest.py trains them: five heads of a two-layer BERT of 16 units, in eight steps each. The heads of
pre-training google-research/bert's own run_pretraining trains: nothing here pre-trains.
"""

from __future__ import annotations

import importlib
import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backends import python
from matrix import WHOLE
from numpy_bert import NumpyBert, softmax
from prepared_data import write_special_vocab
from program import ROOT
from tf2_models import tensors, together
from tiny_models import CONFIG, weights, write_google

ROLES = ("input_ids", "input_mask", "segment_ids")
SMALL = {**CONFIG, "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
LENGTH = 32
COUNTS = {"train": 640 if WHOLE else 64, "dev": 24, "test": 8}
TABLE = ("--text-column", "text", "--label-column")
RECIPE = ("--train-batch-size=16", f"--num-train-epochs={10 if WHOLE else 2}")
RATES = dict.fromkeys(("classifier", "multi-label", "tokens", "span"), "3e-3") | {"regression": "1e-3"}
"""Kind → the learning rate. Squared differences begin large: with 3e-3 the training of scores ends at their mean."""
HIGH = 40
"""The words from this one on are what the tasks are about."""
NAMES = {"classifier": "mood", "multi-label": "topics", "regression": "stars", "tokens": "ner", "span": "squad-1.1"}
FLAGS = {
    "classifier": (*TABLE, "label"),
    "multi-label": (*TABLE, "first,second,any", "--multi-label"),
    "regression": (*TABLE, "score", "--regression=0,6"),
    "tokens": (),
}

BASELINES = {
    "classifier": lambda labels: max(labels.mean(), 1 - labels.mean()),
    "multi-label": lambda labels: np.maximum(labels.mean(axis=0), 1 - labels.mean(axis=0)).mean(),
    "regression": np.var,
    "tokens": lambda labels: max((labels == 0).sum(), (labels == 1).sum()) / (labels >= 0).sum(),
}
"""Kind → what who has learnt nothing gets, of labels: the accuracy; of scores the mean squared error."""


@dataclass(frozen=True)
class Tuned:
    """A trained checkpoint: its folder in out/, the prepared data, the raw files, what the program said."""

    folder: Path
    prepared: Path
    files: Path
    outcome: Any


def write_small(folder):
    """The checkpoint that the trainings begin with: no head, no .meta."""
    values = {
        name: value if name.endswith("gamma") else value * np.float32(0.08)
        for name, value in weights(SMALL, seed=2).items()
    }
    write_google(folder, values, config=SMALL)
    write_special_vocab(folder, SMALL["vocab_size"])
    return folder


def pretrain(bertbuild, folder):
    """A masked LM and a next-sentence head trained by run_pretraining for a few steps; the checkpoint's prefix."""
    model = write_small(folder / "small-words")
    words = (model / "vocab.txt").read_text().splitlines()
    (model / "vocab.txt").write_text("\n".join([*words[:-1], "[MASK]"]) + "\n")
    chance = random.Random(5)  # noqa: S311
    lines = ["" if n % 6 == 5 else _text([chance.randrange(5, 59) for _ in range(8)]) for n in range(240)]
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n")
    made = bertbuild.ok(
        "prepare-pretraining-data",
        *("--input-file", folder / "corpus.txt", "--vocab-file", model / "vocab.txt"),
        *("--max-seq-length", LENGTH, "--max-predictions-per-seq", 5),
    )
    (records,) = Path(made.last["path"]).glob("*.tf*record*")
    flags = {
        "input_file": records,
        "output_dir": folder / "pretrained",
        "do_train": "true",
        "bert_config_file": model / "bert_config.json",
        "init_checkpoint": model / "bert_model.ckpt",
        "max_seq_length": LENGTH,
        "max_predictions_per_seq": 5,
        "train_batch_size": 16,
        "num_train_steps": 20,
        "num_warmup_steps": 2,
        "learning_rate": "3e-3",
    }
    words = [str(python("tf1")), "-m", "bert.run_pretraining", *(f"--{name}={value}" for name, value in flags.items())]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    for name in ("bert_config.json", "vocab.txt"):
        (folder / "pretrained" / name).write_bytes((model / name).read_bytes())
    return folder / "pretrained" / "model.ckpt-20"


def write_task(folder, kind):
    """The raw files of a task; gives what --data takes."""
    chance = random.Random(kind)  # noqa: S311
    folder.mkdir(parents=True)
    texts = {split: [[chance.randrange(4, 60) for _ in range(6)] for _ in range(n)] for split, n in COUNTS.items()}
    if kind == "span":
        for split in ("train", "dev"):
            (folder / f"{split}-v1.1.json").write_text(json.dumps(_squad(texts[split])))
        return folder / "train-v1.1.json"
    for split, rows in texts.items():
        if kind == "tokens":
            (folder / f"{split}.txt").write_text("".join(f"{_sentence(row, tagged=split != 'test')}\n" for row in rows))
        else:
            header, cells = ROWS[kind]
            lines = [",".join(["text", *header])] + [",".join([_text(row), *map(str, cells(row))]) for row in rows]
            (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


ROWS = {
    "classifier": (("label",), lambda row: ["yes" if row[0] >= HIGH else "no"]),
    "multi-label": (
        ("first", "second", "any"),
        lambda row: [int(row[0] >= HIGH), int(row[1] >= HIGH), int(max(row) >= HIGH)],
    ),
    "regression": (("score",), lambda row: [sum(word >= HIGH for word in row)]),
}
"""The columns of labels, and what they say of a row's words."""


def _text(row):
    return " ".join(f"w{word}" for word in row)


def _sentence(row, *, tagged):
    return "".join(f"w{word} {'B-X' if word >= HIGH else 'O'}\n" if tagged else f"w{word}\n" for word in row)


def _squad(rows):
    """A question on each text: which is its largest word?"""
    articles = []
    for number, row in enumerate(rows):
        answer = f"w{max(row)}"
        asked = {"id": f"q{number}", "question": "w50", "answers": [{"text": answer, "answer_start": 0}]}
        asked["answers"][0]["answer_start"] = _text(row).index(answer)
        articles.append({"title": "t", "paragraphs": [{"context": _text(row), "qas": [asked]}]})
    return {"version": "1.1", "data": articles}


def recipe(kind):
    """The flags of a training."""
    return (*RECIPE, f"--learning-rate={RATES[kind]}")


def tune_all(bertbuild, folder):
    """Prepare and train every task by finetune, two at a time; kind → `Tuned`."""
    model = write_small(folder / "small-heads")

    def tune(kind):
        files, prepared = prepare(bertbuild, folder, model, kind)
        more = ("--do-train", "--do-eval", "--do-predict")
        if kind == "span":
            more = ("--squad", files / "dev-v1.1.json", "--max-query-length=8")
        outcome = bertbuild.ok("finetune", "--checkpoint", model, "--prepared", prepared, *more, *recipe(kind))
        return Tuned(Path(outcome.last["path"]), prepared, files, outcome)

    return dict(zip(NAMES, together(tune, [[kind] for kind in NAMES]), strict=True))


def train_all(bertbuild, tuned, kinds):
    """Train some of the same tasks by train; kind → `Tuned`, whose folder is of TensorFlow 2."""
    model = next(iter(tuned.values())).files.parent / "small-heads"

    def train(kind):
        of = tuned[kind]
        outcome = bertbuild.ok("train", "--checkpoint", model, "--prepared", of.prepared, *recipe(kind))
        return Tuned(Path(outcome.last["path"]), of.prepared, of.files, outcome)

    return dict(zip(kinds, together(train, [[kind] for kind in kinds]), strict=True))


def prepare(bertbuild, folder, model, kind):
    """The raw files of a task, and the folder of what prepare-data makes of them."""
    files = folder / NAMES[kind]
    data = write_task(files, kind)
    task = ("--task=SQUAD-1.1", "--max-query-length=8") if kind == "span" else ("--task=own", *FLAGS[kind])
    words = ("--data", data, "--checkpoint", model, f"--max-seq-length={LENGTH}")
    return files, Path(bertbuild.ok("prepare-data", *task, *words).last["path"])


def records(path):
    """The three inputs (int32 [N, S]) and the labels of a file of records: [N, 1], [N, C] or [N, S]; None of spans."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docker" / "common"))
        examples = list(importlib.import_module("tfrecords").read_examples(str(path)))
    columns = {name: np.stack([example[name] for example in examples]) for name in examples[0]}
    return {role: columns[role].astype(np.int32) for role in ROLES}, columns.get("label_ids")


def logits(folder, kind, asked):
    """The head of a checkpoint computed by numpy: float64 [N, C]; of tokens and spans [N, S, C]."""
    values = tensors(folder / "bert_model.ckpt")
    scope = "cls/squad/" if kind == "span" else ""
    head = values[f"{scope}output_weights"], values[f"{scope}output_bias"]
    model = NumpyBert(values, heads=SMALL["num_attention_heads"], activation="erf")
    found = model.answer(asked)["sequence_output" if kind in ("tokens", "span") else "pooled_output"]
    return found @ head[0].T.astype(np.float64) + head[1]


def answers(folder, kind, asked):
    """What the head answers: probabilities, scores; of spans the logits."""
    found = logits(folder, kind, asked)
    if kind == "regression":
        return found[:, 0]
    if kind == "span":
        return found
    return 1 / (1 + np.exp(-found)) if kind == "multi-label" else softmax(found)
