"""Prepared data sets as prepare-data writes them, with chosen ids and labels."""

from __future__ import annotations

import json

import numpy as np
from records import write_records

ROLES = ("input_ids", "input_mask", "segment_ids")


def features(count, length=32, *, vocabulary=60, seed=3):
    """Random examples with two segments and some padding: role → int32 [count, length]."""
    chance = np.random.default_rng(seed)
    place = np.arange(length)
    tokens = chance.integers(length // 4, length + 1, (count, 1))
    mask = (place < tokens).astype(np.int32)
    return {
        "input_ids": chance.integers(0, vocabulary, (count, length), dtype=np.int32) * mask,
        "input_mask": mask,
        "segment_ids": (place >= tokens // 2).astype(np.int32) * mask,
    }


def write_prepared(folder, train, dev, labels, **facts):
    """A folder with train.tf_record, eval.tf_record (of `labels`) and prepared.json."""
    folder.mkdir()
    for name, columns, known in (("train", train, np.zeros(len(train["input_ids"]), int)), ("eval", dev, labels)):
        rows = zip(*(columns[role] for role in ROLES), np.reshape(known, (-1, 1)), strict=True)
        write_records(
            folder / f"{name}.tf_record", (dict(zip((*ROLES, "label_ids"), row, strict=True)) for row in rows)
        )
    known = {"task": "MRPC", "task_type": "classification", "labels": ["0", "1", "2"], "max_seq_length": 32}
    (folder / "prepared.json").write_text(json.dumps({**known, **facts}))
    return folder
