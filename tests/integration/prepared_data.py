"""Prepared folders made by hand, without TensorFlow: TFRecords of tf.train.Examples, for toy tasks that are learnt."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from records import write_records

LENGTH = 16
SQUAD_LENGTH = 32
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
CLASSES = ("no", "yes")
SIGNAL = 40
"""The word that makes an example's label "yes"."""


def toy_rows(count, *, seed, words=60, length=LENGTH):
    """Examples of a task that a tiny BERT learns: is the word SIGNAL among the others? A third says "yes"."""
    chance = np.random.default_rng(seed)
    for index in range(count):
        label = int(index % 3 == 0)
        ids = chance.integers(4, SIGNAL, length)
        ids[0] = 1
        if label:
            ids[chance.integers(1, length)] = SIGNAL
        yield {
            "input_ids": ids % words,
            "input_mask": [1] * length,
            "segment_ids": [0] * length,
            "label_ids": [label],
            "is_real_example": [1],
        }


def write_prepared(folder, model, *, train=(), dev=(), test=(), **told):
    """A prepared folder for the vocabulary of a model; `told` changes prepared.json."""
    folder.mkdir(parents=True)
    counts = {}
    for name, rows in (("train", train), ("eval", dev), ("test", test)):
        if rows := list(rows):
            write_records(folder / f"{name}.tf_record", rows)
            counts[name] = len(rows)
    prepared = {
        "task": "TOY",
        "task_type": "classification",
        "labels": list(CLASSES),
        "max_seq_length": LENGTH,
        "do_lower_case": True,
        "vocab_sha256": hashlib.sha256((model / "vocab.txt").read_bytes()).hexdigest(),
        "examples": counts,
        "version_2_with_negative": False,
    }
    (folder / "prepared.json").write_text(json.dumps(prepared | told))
    (folder / "meta_data.json").write_text("{}")
    return folder


def write_toy(folder, model, *, train=320, **told):
    """The toy task: its three files."""
    return write_prepared(
        folder,
        model,
        train=toy_rows(train, seed=1),
        dev=toy_rows(60, seed=2),
        test=toy_rows(30, seed=3),
        **told,
    )


def write_special_vocab(model, words=60):
    """vocab.txt with the words that BERT's tokenizer needs; the others are w4, w5, …"""
    names = [SPECIAL[index] if index < len(SPECIAL) else f"w{index}" for index in range(words)]
    (model / "vocab.txt").write_text("".join(f"{name}\n" for name in names))


def squad_texts(count, *, seed, negative=False):
    """Texts of twelve words of which one is SIGNAL, and where it stands; with `negative` every third has none (-1)."""
    chance = np.random.default_rng(seed)
    for index in range(count):
        words = chance.integers(4, SIGNAL, 12)
        place = -1 if negative and index % 3 == 0 else int(chance.integers(0, 12))
        if place >= 0:
            words[place] = SIGNAL
        yield [int(word) for word in words], place


def squad_rows(texts):
    """Training records as run_squad's FeatureWriter has them: [CLS] w50 [SEP] text [SEP]."""
    for index, (words, place) in enumerate(texts):
        ids = [2, 50, 3, *words, 3]
        padding = [0] * (SQUAD_LENGTH - len(ids))
        yield {
            "unique_ids": [1_000_000_000 + index],
            "input_ids": ids + padding,
            "input_mask": [1] * len(ids) + padding,
            "segment_ids": [0] * 3 + [1] * (len(ids) - 3) + padding,
            "start_positions": [place + 3 if place >= 0 else 0],
            "end_positions": [place + 3 if place >= 0 else 0],
            "is_impossible": [int(place < 0)],
        }


def write_squad(path, texts):
    """SQuAD's JSON with a question for each text, whose ids are numbers as in some people's files."""
    paragraphs = [
        {
            "context": " ".join(f"w{word}" for word in words),
            "qas": [{"id": index, "question": "w50", "answers": [], "is_impossible": place < 0}],
        }
        for index, (words, place) in enumerate(texts)
    ]
    path.write_text(json.dumps({"version": "1.1", "data": [{"title": "toy", "paragraphs": paragraphs}]}))
    return path
