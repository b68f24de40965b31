"""TFRecord files of tf.train.Example without TensorFlow.

A record is the length of its message (8 bytes), the masked CRC-32C of those, the message, the masked CRC-32C of that
(tensorflow/core/lib/io/record_writer.cc). The message is encoded by hand: Example{1: Features{1: map entry{1: name,
2: Feature}, …}}, a Feature being {2: FloatList} or {3: Int64List}, each {1: packed values}
(tensorflow/core/example/feature.proto). Lists come packed already: who writes many examples keeps the bytes of ids,
masks and padding ready.
"""

import struct

import google_crc32c

_MASK_DELTA = 0xA282EAD8
_SMALL = 1 << 17  # numbers whose bytes are kept: every id of a vocabulary


def varint(value):
    """The bytes of one number of protobuf; a negative one is written as its 64-bit complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Varints(dict):
    """Number → its bytes, worked out once for numbers that come again."""

    def __missing__(self, value):
        encoded = varint(value)
        if len(self) < _SMALL:
            self[value] = encoded
        return encoded


_VARINTS = _Varints()


def packed(values):
    """Integers as the body of an Int64List."""
    return b"".join(map(_VARINTS.__getitem__, values))


def packed_floats(values):
    """Numbers as the body of a FloatList, float32 each."""
    return struct.pack("<%df" % len(values), *values)


class Feature:
    """One feature of every example of a file; called with its packed values it gives its part of the message."""

    def __init__(self, name, kind="int64"):
        self._name = _field(1, name.encode())
        self._kind = {"float": b"\x12", "int64": b"\x1a"}[kind]

    def __call__(self, values):
        """The bytes of the map entry; `values` are of `packed` or `packed_floats`."""
        values = b"\x0a" + _VARINTS[len(values)] + values
        feature = self._kind + _VARINTS[len(values)] + values
        entry = self._name + b"\x12" + _VARINTS[len(feature)] + feature
        return b"\x0a" + _VARINTS[len(entry)] + entry


def record(*features):
    """One framed record: an Example of these features."""
    message = _field(1, b"".join(features))
    length = struct.pack("<Q", len(message))
    return b"".join((length, _checksum(length), message, _checksum(message)))


def _field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def _checksum(data):
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF)
