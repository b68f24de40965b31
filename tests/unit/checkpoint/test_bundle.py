from __future__ import annotations

import re

import numpy as np
import pytest

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.checkpoint.table import write_table
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError
from bertbuild.graph.wire import encode_bytes, encode_fixed32, encode_number

HEADER = encode_number(1, 1) + encode_bytes(3, encode_number(1, 1))

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8", "c16"]


def entry(dtype=1, shape=(2,), *, shard=0, offset=0, nbytes=8, content=b"", slices=0):
    sizes = b"".join(encode_bytes(2, encode_number(1, size)) for size in shape)
    message = encode_number(1, dtype) + encode_bytes(2, sizes) + encode_number(3, shard) + encode_number(4, offset)
    message += encode_number(5, nbytes) + encode_fixed32(6, masked(crc32c(content)))
    return message + encode_bytes(7, b"") * slices


def index(tmp_path, entries, header=HEADER):
    (tmp_path / "m.index").write_bytes(write_table([(b"", header), *entries]))
    return tmp_path / "m"


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_of_every_dtype_come_back(tmp_path, dtype):
    values = {
        "b/matrix": np.arange(12).reshape(3, 4).astype(dtype),
        "a/scalar": np.ones((), dtype),
        "c/empty": np.zeros((0, 3), dtype),
        "d/transposed": np.arange(6).reshape(2, 3).astype(dtype).T,
        "e/big-endian": np.arange(3).astype(np.dtype(dtype).newbyteorder(">")),
    }
    write_checkpoint(tmp_path / "m", values)
    reader = CheckpointReader(tmp_path / "m")
    assert list(reader.entries) == sorted(values)
    for name, value in values.items():
        reader.verify(name)
        found = reader.tensor(name)
        assert found.dtype == np.dtype(dtype)
        assert found.shape == value.shape
        assert np.array_equal(found, value)


def test_a_genuine_checkpoint_is_written_again_byte_for_byte(genuine, tmp_path):
    reader = CheckpointReader(genuine / "bert_model.ckpt")
    assert len(reader.entries) == 139
    assert reader.tensor("global_step") == 20
    assert reader.entries["global_step"].dtype == "int64"
    again = write_checkpoint(tmp_path / "again.ckpt", {name: reader.tensor(name) for name in reader.entries})
    for path in again:
        assert path.read_bytes() == (genuine / path.name.replace("again", "bert_model")).read_bytes()


def test_bfloat16_is_read_as_its_bits(tmp_path):
    content = np.array([0x3FC0, 0xC000], np.uint16).tobytes()
    prefix = index(tmp_path, [(b"x", entry(14, (2,), nbytes=4, content=content))])
    (tmp_path / "m.data-00000-of-00001").write_bytes(content)
    reader = CheckpointReader(prefix)
    assert reader.entries["x"].dtype == "bfloat16"
    assert (reader.tensor("x").astype(np.uint32) << 16).view(np.float32).tolist() == [1.5, -2.0]


def test_several_data_files(tmp_path):
    parts = [np.arange(2, dtype=np.float32).tobytes(), np.arange(5, 7, dtype=np.float32).tobytes()]
    entries = [
        (name, entry(shard=i, content=part)) for i, (name, part) in enumerate(zip((b"a", b"b"), parts, strict=True))
    ]
    prefix = index(tmp_path, entries, header=encode_number(1, 2))
    for i, part in enumerate(parts):
        (tmp_path / f"m.data-{i:05d}-of-00002").write_bytes(part)
    reader = CheckpointReader(prefix)
    reader.verify("a")
    reader.verify("b")
    assert reader.tensor("b").tolist() == [5, 6]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (entry(7, (2,), nbytes=30), "dtype string"),
        (entry(99, (2,)), "dtype type_99"),
    ],
)
def test_what_is_listed_but_not_read(tmp_path, message, why):
    reader = CheckpointReader(index(tmp_path, [(b"x", message)]))
    assert list(reader.entries) == ["x"]
    for ask in (reader.tensor, reader.verify):
        with pytest.raises(CheckpointError, match=why) as raised:
            ask("x")
        assert raised.value.next_step


@pytest.mark.parametrize(
    "message",
    [
        entry(nbytes=9),
        entry(shape=(-2,)),
        entry(shape=(1 << 40, 1 << 40)),
        entry(shape=(1,) * 33, nbytes=4),
        entry(shard=1),
        entry(offset=-8),
        encode_bytes(2, b"\x12"),
        b"\x00",
    ],
)
def test_entries_that_cannot_be_are_refused(tmp_path, message):
    with pytest.raises(CheckpointError, match="is damaged"):
        CheckpointReader(index(tmp_path, [(b"x", message)]))


@pytest.mark.parametrize(
    ("header", "why"),
    [(encode_number(2, 1), "big-endian"), (encode_number(1, 0), "0 data files"), (b"\x80", "is damaged")],
)
def test_headers_that_cannot_be_are_refused(tmp_path, header, why):
    with pytest.raises(CheckpointError, match=why):
        CheckpointReader(index(tmp_path, [], header=header))


def test_an_index_without_header_or_with_a_foreign_name_is_refused(tmp_path):
    (tmp_path / "m.index").write_bytes(write_table([(b"x", entry())]))
    with pytest.raises(CheckpointError, match="does not have the header"):
        CheckpointReader(tmp_path / "m")
    with pytest.raises(CheckpointError, match="is damaged"):
        CheckpointReader(index(tmp_path, [(b"\xff\xfe", entry())]))
    with pytest.raises(CheckpointError, match="cannot be read"):
        CheckpointReader(tmp_path / "gone")


def test_an_enormous_index_is_not_loaded(tmp_path):
    with (tmp_path / "m.index").open("wb") as file:
        file.truncate(1 << 29)
    with pytest.raises(CheckpointError, match="far too many"):
        CheckpointReader(tmp_path / "m")


def test_missing_and_short_data_and_unknown_names(tmp_path):
    prefix = index(tmp_path, [(b"x", entry())])
    reader = CheckpointReader(prefix)
    with pytest.raises(CheckpointError, match=re.escape("m.data-00000-of-00001 cannot be read")):
        reader.tensor("x")
    (tmp_path / "m.data-00000-of-00001").write_bytes(bytes(7))
    with pytest.raises(CheckpointError, match="ends inside the tensor x"):
        reader.verify("x")
    with pytest.raises(CheckpointError, match="has no tensor y"):
        reader.tensor("y")


def test_a_flipped_bit_in_the_data_is_noticed(genuine):
    path = genuine / "bert_model.ckpt.data-00000-of-00001"
    reader = CheckpointReader(genuine / "bert_model.ckpt")
    target = reader.entries["bert/pooler/dense/kernel"]
    content = bytearray(path.read_bytes())
    content[target.offset + 5] ^= 0x10
    path.write_bytes(content)
    reader.verify("bert/pooler/dense/bias")
    with pytest.raises(CheckpointError, match=f"bert/pooler/dense/kernel at offset {target.offset} "):
        reader.verify("bert/pooler/dense/kernel")


@pytest.mark.parametrize("name", ["", "\0x"])
def test_names_that_tensorflow_keeps_for_itself_are_not_written(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be the name"):
        write_checkpoint(tmp_path / "m", {name: np.zeros(1, np.float32)})


@pytest.mark.parametrize("dtype", ["U3", "O", "M8[s]", "f16"])
def test_dtypes_without_counterpart_are_not_written(tmp_path, dtype):
    with pytest.raises(ValueError, match="no counterpart"):
        write_checkpoint(tmp_path / "m", {"x": np.zeros(1, dtype)})
