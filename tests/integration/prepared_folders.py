"""Prepared data sets written by hand, as prepare-data leaves them: TFRecords of tf.train.Example, and prepared.json."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from records import write_records

ROLES = ("input_ids", "input_mask", "segment_ids")


def features(count, *, length, vocab_size, seed=7):
    """Role → int32 [N, S]: two segments each, padded more or less."""
    chance = np.random.default_rng(seed)
    tokens = chance.integers(4, length + 1, count)
    places = np.arange(length)[None, :]
    mask = (places < tokens[:, None]).astype(np.int32)
    ids = chance.integers(0, vocab_size, (count, length), dtype=np.int32) * mask
    return {
        "input_ids": ids,
        "input_mask": mask,
        "segment_ids": (places >= tokens[:, None] // 2).astype(np.int32) * mask,
    }


def write_prepared(
    folder, columns, labels, *, task="MRPC", classes=("0", "1"), padding_rows=0, vocab=None, training=False
):
    """The folder of a classification's dev set; rows of padding come last, as for a TPU. `training`: its rows again."""
    folder.mkdir(parents=True)
    rows = [
        {**{role: columns[role][row].tolist() for role in ROLES}, "label_ids": [int(label)], "is_real_example": [1]}
        for row, label in enumerate(labels)
    ]
    if training:
        write_records(folder / "train.tf_record", rows)
    rows += [{**rows[0], "is_real_example": [0]}] * padding_rows
    write_records(folder / "eval.tf_record", rows)
    facts = {
        "task": task,
        "task_type": "classification",
        "labels": list(classes),
        "max_seq_length": columns["input_ids"].shape[1],
        "do_lower_case": True,
        "examples": {"eval": len(labels)},
    }
    if vocab is not None:
        facts["vocab_sha256"] = hashlib.sha256(vocab.read_bytes()).hexdigest()
    (folder / "prepared.json").write_text(json.dumps(facts))
    return folder
