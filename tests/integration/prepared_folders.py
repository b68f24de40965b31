"""Prepared data sets written by hand, as prepare-data leaves them: TFRecords of tf.train.Example, and prepared.json."""

from __future__ import annotations

import hashlib
import json
import struct

import numpy as np

from bertbuild.checkpoint.crc32c import crc32c, masked

ROLES = ("input_ids", "input_mask", "segment_ids")


def varint(number):
    number &= 2**64 - 1
    found = b""
    while number >= 0x80:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def feature(values):
    """Feature: float_list = 2, int64_list = 3, both packed."""
    if isinstance(values[0], float):
        return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))
    return field(3, field(1, b"".join(map(varint, values))))


def example(features):
    entries = [field(1, field(1, name.encode()) + field(2, feature(values))) for name, values in features.items()]
    return field(1, b"".join(entries))


def record(data):
    length = struct.pack("<Q", len(data))
    parts = [length, struct.pack("<I", masked(crc32c(length))), data, struct.pack("<I", masked(crc32c(data)))]
    return b"".join(parts)


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
        (folder / "train.tf_record").write_bytes(b"".join(record(example(row)) for row in rows))
    rows += [{**rows[0], "is_real_example": [0]}] * padding_rows
    (folder / "eval.tf_record").write_bytes(b"".join(record(example(row)) for row in rows))
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
