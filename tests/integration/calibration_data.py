"""Prepared data sets as prepare-data writes them, with chosen ids and labels."""

from __future__ import annotations

import json
import struct

import numpy as np

from bertbuild.checkpoint.crc32c import crc32c, masked

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
        rows = zip(*(columns[role] for role in ROLES), known, strict=True)
        records = (_framed(_example(dict(zip((*ROLES, "label_ids"), row, strict=True)))) for row in rows)
        (folder / f"{name}.tf_record").write_bytes(b"".join(records))
    known = {"task": "MRPC", "task_type": "classification", "labels": ["0", "1", "2"], "max_seq_length": 32}
    (folder / "prepared.json").write_text(json.dumps({**known, **facts}))
    return folder


def _framed(data):
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data):
    return struct.pack("<I", masked(crc32c(data)))


def _example(columns):
    """A tf.train.Example of lists of int64."""
    entries = (
        _message(1, _message(1, name.encode()) + _message(2, _message(3, _message(1, _packed(values)))))
        for name, values in columns.items()
    )
    return _message(1, b"".join(entries))


def _packed(values):
    return b"".join(_varint(int(value)) for value in np.atleast_1d(values))


def _message(number, body):
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
