"""docker/common/tfrecords.py: TFRecords read without TensorFlow."""

from __future__ import annotations

import base64
import importlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.project import ROOT

# One example as TensorFlow 2.20's TFRecordWriter wrote it: input_ids 101, 30521, -7; label_ids 3.25; text; none.
OF_TENSORFLOW = (
    "WQAAAAAAAACKHWW2ClcKHwoJaW5wdXRfaWRzEhIaEAoOZbnuAfn//////////wEKFQoJbGFiZWxfaWRzEggSBgoEAABQQAoICgRub25lEgAKEwoE"
    "dGV4dBILCgkKBWNhZsOpCgCWjWIW"
)


@pytest.fixture(scope="module")
def tfrecords():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docker" / "common"))
        yield importlib.import_module("tfrecords")


@pytest.fixture(scope="module")
def refused(tfrecords):
    return tfrecords.StageInputError


def framed(*records):
    """Records as they lie in a file."""
    parts = []
    for data in records:
        length = struct.pack("<Q", len(data))
        parts += [length, struct.pack("<I", masked(crc32c(length))), data, struct.pack("<I", masked(crc32c(data)))]
    return b"".join(parts)


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def example(**features):
    """A tf.train.Example of lists of int64 (packed)."""
    entries = (
        message(1, message(1, name.encode()) + message(2, message(3, message(1, b"".join(map(varint, values))))))
        for name, values in features.items()
    )
    return message(1, b"".join(entries))


def test_what_tensorflow_wrote_is_read(tfrecords, tmp_path):
    path = tmp_path / "a.tf_record"
    path.write_bytes(base64.b64decode(OF_TENSORFLOW))
    (found,) = tfrecords.read_examples(path)
    assert {name: (values.tolist(), values.dtype) for name, values in found.items()} == {
        "input_ids": ([101, 30521, -7], np.int64),
        "label_ids": ([3.25], np.float32),
        "text": (["café".encode(), b""], object),
        "none": ([], np.int64),
    }


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_records_of_any_length_pass_their_checksums(tfrecords, tmp_path_factory, records):
    path = tmp_path_factory.mktemp("records") / "a.tf_record"
    path.write_bytes(framed(*records))
    assert list(tfrecords.read_records(path)) == records


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_numbers_of_any_size_are_read(tfrecords, values):
    assert tfrecords.parse_example(example(a=values))["a"].tolist() == values


def test_numbers_that_are_not_packed_are_read(tfrecords):
    unpacked = b"".join(varint(1 << 3) + varint(value) for value in (1, 300, -2))
    data = message(1, message(1, message(1, b"a") + message(2, message(3, unpacked))))
    assert tfrecords.parse_example(data)["a"].tolist() == [1, 300, -2]


def test_columns_are_stacked_over_more_records_than_one_block(tfrecords, tmp_path):
    path = tmp_path / "a.tf_record"
    path.write_bytes(framed(*(example(a=[number, 2 * number], b=[number]) for number in range(600))))
    found = tfrecords.read_columns(path, ("a", "b"))
    assert found["a"].tolist() == [[number, 2 * number] for number in range(600)]
    assert tfrecords.read_columns(path, ("b",), most=7)["b"].tolist() == [[number] for number in range(7)]


def test_an_empty_file_has_no_rows(tfrecords, tmp_path):
    path = tmp_path / "a.tf_record"
    path.touch()
    assert len(tfrecords.read_columns(path, ("a",))["a"]) == 0


@pytest.mark.parametrize(
    ("place", "words"),
    [(0, "checksum of its length"), (9, "checksum of its length"), (20, "checksum of its data"), (-1, "of its data")],
)
def test_one_wrong_byte_is_found(tfrecords, refused, tmp_path, place, words):
    path = tmp_path / "a.tf_record"
    content = bytearray(framed(example(a=[1]), example(a=[2])))
    content[place] ^= 1 if place else 0x80  # a length that is too large is cut off instead
    path.write_bytes(content[: len(framed(example(a=[1])))] if place == 0 else content)
    with pytest.raises(refused, match="is cut off" if place == 0 else words):
        list(tfrecords.read_records(path))


@pytest.mark.parametrize("kept", [1, 11, 13, -1])
def test_a_file_that_is_cut_off_is_refused_with_the_record(tfrecords, refused, tmp_path, kept):
    path = tmp_path / "a.tf_record"
    path.write_bytes(framed(example(a=[1])) + framed(example(a=[2]))[:kept])
    with pytest.raises(refused, match="record 1 is cut off"):
        list(tfrecords.read_records(path))


def test_a_file_of_another_kind_is_refused(tfrecords, refused, tmp_path):
    path = tmp_path / "a.tf_record"
    path.write_text("sentence1\tsentence2\tlabel\n")
    with pytest.raises(refused, match="this is not a TFRecord file"):
        list(tfrecords.read_records(path))


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x0a\x7f", message(1, message(1, message(2, message(3, b"\x0a\x01\x80"))))]
)
def test_a_record_of_something_else_is_refused(tfrecords, refused, tmp_path, data):
    path = tmp_path / "a.tf_record"
    path.write_bytes(framed(data))
    with pytest.raises(refused, match=r"record 0 is not a tf\.train\.Example"):
        list(tfrecords.read_examples(path))


def test_examples_of_other_features_are_refused(tfrecords, refused, tmp_path):
    path = tmp_path / "a.tf_record"
    path.write_bytes(framed(example(a=[1, 2]), example(a=[1, 2, 3])))
    with pytest.raises(refused, match="record 1 has 3 values of a, the first 2"):
        tfrecords.read_columns(path, ("a",))
    with pytest.raises(refused, match=r"record 0 has no feature b \(it has: a\)"):
        tfrecords.read_columns(path, ("b",))
