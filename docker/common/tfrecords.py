"""TFRecord files of tf.train.Example, read without TensorFlow; every checksum is compared.

A record is its length (uint64, little-endian), the masked CRC-32C of those 8 bytes, the data, and the data's masked
CRC-32C (tensorflow/core/lib/io/record_writer.h). Data is a tf.train.Example (tensorflow/core/example/example.proto).
"""

import struct

import numpy as np
from stage import StageInputError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_BLOCK = 256  # records whose checksums are taken at once
_LONGEST = 1 << 20  # bytes; an example for BERT has some thousand, so that a length beyond this is not a length
_POLYNOMIAL = 0x82F63B78  # CRC-32C (RFC 3720, appendix B.4), lowest bit first
_MASK_DELTA = 0xA282EAD8  # tensorflow/core/lib/hash/crc32c.h
_ONES_LEFT = np.array([0xFFFFFFFF, 0xFFFFFF, 0xFFFF, 0xFF, 0], np.uint32)  # of a first state of ones, after n bytes
_VARINT, _BYTES, _FIXED32 = 0, 2, 5  # protobuf's wire types


def read_columns(path, names, most=None):
    """Features of the examples of a file, one array each.

    Args:
        path: of the TFRecord file.
        names: features that every example must have, each with as many values in one example as in another.
        most: read no more examples than this.

    Returns:
        dict of name → array [N, values]: int64 for integers, float32 for floats; N is 0 where the file is empty.

    Raises:
        StageInputError: the file is damaged or no TFRecord of examples, or one has other features.
    """
    rows = {name: [] for name in names}
    for number, example in enumerate(read_examples(path)):
        if number == most:
            break
        for name in names:
            if name not in example:
                raise _error(path, number, "has no feature %s (it has: %s)" % (name, ", ".join(sorted(example))))
            values, known = example[name], rows[name]
            if known and (len(values) != len(known[0]) or values.dtype != known[0].dtype):
                raise _error(path, number, "has %d values of %s, the first %d" % (len(values), name, len(known[0])))
            known.append(values)
    return {name: np.stack(values) if values else np.zeros((0, 0), np.int64) for name, values in rows.items()}


def read_examples(path):
    """Every tf.train.Example of a file: a dict of feature name → array [values] of int64, float32 or object (bytes).

    Raises:
        StageInputError: the file is damaged, or a record is not an Example.
    """
    number = -1
    try:
        for number, data in enumerate(read_records(path)):  # noqa: B007 - told below
            yield parse_example(data)
    except (ValueError, IndexError) as error:
        raise _error(path, number, "is not a tf.train.Example") from error


def read_records(path):
    """The data of every record of a file, as bytes; some hundred are read ahead.

    Raises:
        StageInputError: the file is cut off, or a checksum is wrong.
    """
    with open(path, "rb") as file:
        first = 0
        while True:
            block = []
            while len(block) < _BLOCK:
                record = _read_record(file, path, first + len(block))
                if record is None:
                    break
                block.append(record)
            for column, what in ((0, "length"), (2, "data")):
                found = _masked(_crc32c([record[column] for record in block]))
                wrong = np.flatnonzero(found != np.array([record[column + 1] for record in block], np.uint64))
                if len(wrong):
                    raise _error(path, first + int(wrong[0]), "is damaged: the checksum of its %s is wrong" % what)
            for record in block:
                yield record[2]
            if len(block) < _BLOCK:
                return
            first += _BLOCK


def _read_record(file, path, number):
    """(length as bytes, its checksum, data, its checksum), or None at the end of the file."""
    header = file.read(_HEADER.size)
    if not header:
        return None
    if len(header) == _HEADER.size:
        length, checksum = _HEADER.unpack(header)
        if length > _LONGEST:
            raise _error(path, number, "is said to be %d bytes long; this is not a TFRecord file" % length)
        data, footer = file.read(length), file.read(_FOOTER.size)
        if len(data) == length and len(footer) == _FOOTER.size:
            return header[:8], checksum, data, _FOOTER.unpack(footer)[0]
    raise _error(path, number, "is cut off")


def _error(path, number, text):
    return StageInputError("%s: record %d %s" % (path, number, text))


def _crc32c(messages):
    """The CRC-32C of each of some bytes objects, as an array of uint32: one step per byte of the longest, for all."""
    width = max(map(len, messages), default=0)
    columns = np.zeros((len(messages), width), np.uint8)
    # Leading zeros change nothing of a state of 0. What a CRC's first state of ones does is to flip the first 4 bytes.
    for row, message in zip(columns, messages):
        row[width - len(message) :] = np.frombuffer(message, np.uint8)
        row[width - len(message) : width - len(message) + 4] ^= 0xFF
    state = np.zeros(len(messages), np.uint32)
    for column in np.ascontiguousarray(columns.T):
        state = _TABLE[(state ^ column) & 0xFF] ^ (state >> 8)
    left = _ONES_LEFT[[min(len(message), 4) for message in messages]]
    return state ^ left ^ np.uint32(0xFFFFFFFF)


def _masked(crc):
    """As TensorFlow stores it."""
    crc = crc.astype(np.uint64)
    return ((crc >> np.uint64(15) | crc << np.uint64(17)) + np.uint64(_MASK_DELTA)) & np.uint64(0xFFFFFFFF)


def _table():
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


_TABLE = _table()


def parse_example(data):
    """The features of one serialized tf.train.Example: dict of name → array [values] of int64, float32 or object.

    Raises:
        ValueError, IndexError: it is none.
    """
    features = {}
    for _, body in _fields(data, 1):  # Example.features
        for _, entry in _fields(body, 1):  # Features.feature: a map, so a message of key 1 and value 2
            parts = dict(_fields(entry, 1, 2))
            features[bytes(parts[1]).decode("utf-8") if 1 in parts else ""] = _values(parts.get(2, b""))
    return features


def _values(feature):
    """The values of a Feature: bytes_list = 1, float_list = 2, int64_list = 3."""
    for kind, body in _fields(feature, 1, 2, 3):
        values = [value for _, value in _fields(body, 1)]
        if kind == 1:
            array = np.empty(len(values), object)
            array[:] = [bytes(value) for value in values]
            return array
        if kind == 2:
            return np.frombuffer(b"".join(values), "<f4")
        return _varints(b"".join(values))
    return np.zeros(0, np.int64)


def _fields(data, *wanted):
    """(number, bytes) of the wanted fields of a message; a number that is not packed is given as its bytes."""
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        number, kind = tag >> 3, tag & 7
        if kind == _BYTES:
            length, start = _varint(data, place)
            place = start + length
        elif kind == _VARINT:
            start = place
            place = _varint(data, place)[1]
        elif kind == _FIXED32:
            start, place = place, place + 4
        else:
            raise ValueError("wire type %d" % kind)
        if place > end:
            raise ValueError("cut off")
        if number in wanted:
            yield number, data[start:place]


def _varint(data, place):
    """The number at a place of some bytes, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7


def _varints(data):
    """All numbers of a packed list, as int64."""
    array = np.frombuffer(data, np.uint8)
    if not len(array):
        return np.zeros(0, np.int64)
    ends = np.flatnonzero(array < 0x80) + 1
    if not len(ends) or ends[-1] != len(array):
        raise ValueError("cut off")
    if len(ends) == len(array):  # all below 128
        return array.astype(np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    place = np.arange(len(array)) - np.repeat(starts, ends - starts)
    parts = (array & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.add.reduceat(parts, starts).view(np.int64)
