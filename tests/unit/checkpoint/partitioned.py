"""Checkpoints with partitioned variables, as TensorFlow lays them out."""

from __future__ import annotations

import numpy as np
from first_format import cuts, slice_proto

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.crc32c import crc32c
from bertbuild.checkpoint.slices import region, slice_key
from bertbuild.checkpoint.table import read_table, write_table
from bertbuild.checkpoint.writer import _entry
from bertbuild.graph.wire import encode_bytes


def partition(folder, names, parts=3):
    """Cut variables of a checkpoint of one data file, as TensorFlow lays out a partitioned variable."""
    prefix = folder / "bert_model.ckpt"
    reader = CheckpointReader(prefix)
    table = dict(read_table((folder / "bert_model.ckpt.index").read_bytes()))
    data = (folder / "bert_model.ckpt.data-00000-of-00001").read_bytes()
    for name in names:
        value, entry = reader.tensor(name), reader.entries[name]
        whole = _entry(entry.dtype, entry.shape, 0, 0, 0)
        for extents in cuts(entry.shape, parts):
            part = np.ascontiguousarray(value[region(entry.shape, extents)])
            table[slice_key(name, extents)] = _entry(entry.dtype, part.shape, len(data), part.nbytes, crc32c(part))
            data += part.tobytes()
            whole += encode_bytes(7, slice_proto(extents))
        table[name.encode()] = whole
    (folder / "bert_model.ckpt.data-00000-of-00001").write_bytes(data)
    (folder / "bert_model.ckpt.index").write_bytes(write_table(sorted(table.items())))
