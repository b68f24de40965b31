"""TFRecord files of tf.train.Examples, written without TensorFlow and without the code that is tested."""

from __future__ import annotations

import struct

from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.graph.wire import encode_bytes, encode_varint


def write_records(path, examples):
    """A file of these examples: dicts of name → whole numbers, or floats."""
    path.write_bytes(b"".join(_framed(_example(features)) for features in examples))


def _framed(data):
    """Length, its masked CRC, data, its masked CRC."""
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data):
    return struct.pack("<I", masked(crc32c(data)))


def _example(features):
    entries = (encode_bytes(1, encode_bytes(1, name.encode()) + _feature(values)) for name, values in features.items())
    return encode_bytes(1, b"".join(entries))


def _feature(values):
    """float_list is field 2 of a Feature, int64_list field 3; both are packed."""
    if isinstance(values[0], float):
        return encode_bytes(2, encode_bytes(2, encode_bytes(1, struct.pack(f"<{len(values)}f", *values))))
    return encode_bytes(2, encode_bytes(3, encode_bytes(1, b"".join(encode_varint(int(value)) for value in values))))
