from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.checkpoint.strings import encode_string, read_string
from bertbuild.checkpoint.table import write_table
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError
from bertbuild.graph.wire import encode_bytes, encode_fixed32, encode_number

TENSORFLOW = {
    b"": ("00a67b113a", "bd6707be"),
    b"abc": ("03633f7f28616263", "c3d19a19"),
    b"x" * 200: ("c80123797520" + "78" * 200, "3a43cbec"),
}
"""Value → data file, and masked checksum in the index, as SaveV2 of TensorFlow 2.20 wrote them."""


@pytest.mark.parametrize("value", TENSORFLOW)
def test_a_string_has_the_bytes_and_the_checksum_that_tensorflow_writes(value):
    content, checksum = TENSORFLOW[value]
    encoded, crc = encode_string(value)
    assert encoded.hex() == content
    assert masked(crc).to_bytes(4, "little").hex() == checksum


@settings(max_examples=30)
@given(value=st.binary(max_size=400))
def test_every_string_comes_back_beside_numbers(tmp_path_factory, value):
    prefix = tmp_path_factory.mktemp("strings") / "m"
    write_checkpoint(prefix, {"a": np.arange(3, dtype=np.float32), "s": value, "z": np.array(7, np.int64)})
    reader = CheckpointReader(prefix)
    assert read_string(reader, "s") == value
    assert reader.tensor("a").tolist() == [0, 1, 2]
    assert reader.tensor("z") == 7


@pytest.mark.parametrize("name", ["gone", "number", "vector"])
def test_what_is_no_scalar_string_is_refused(tmp_path, name):
    content, crc = encode_string(b"ab")
    header = encode_number(1, 1) + encode_bytes(3, encode_number(1, 1))
    vector = encode_number(1, 7) + encode_bytes(2, encode_bytes(2, encode_number(1, 1)))
    vector += encode_number(5, len(content)) + encode_fixed32(6, masked(crc))
    number = encode_number(1, 1) + encode_bytes(2, b"") + encode_number(4, len(content)) + encode_number(5, 4)
    number += encode_fixed32(6, masked(crc32c(b"")))
    (tmp_path / "m.index").write_bytes(write_table([(b"", header), (b"number", number), (b"vector", vector)]))
    (tmp_path / "m.data-00000-of-00001").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"has no scalar string {name}"):
        read_string(CheckpointReader(tmp_path / "m"), name)


def test_every_changed_byte_of_a_string_is_noticed(tmp_path):
    _, data = write_checkpoint(tmp_path / "m", {"s": b"a string"})
    sound = data.read_bytes()
    for place in range(len(sound)):
        data.write_bytes(sound[:place] + bytes([sound[place] ^ 0x10]) + sound[place + 1 :])
        with pytest.raises(CheckpointError, match=r"The string s in .* is damaged") as raised:
            read_string(CheckpointReader(tmp_path / "m"), "s")
        assert raised.value.next_step


@pytest.mark.parametrize("length", range(13))
def test_a_data_file_that_ends_inside_a_string_is_noticed(tmp_path, length):
    _, data = write_checkpoint(tmp_path / "m", {"s": b"a string"})
    assert data.stat().st_size == 13
    data.write_bytes(data.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="is damaged"):
        read_string(CheckpointReader(tmp_path / "m"), "s")


def test_a_missing_data_file_is_named(tmp_path):
    _, data = write_checkpoint(tmp_path / "m", {"s": b"a string"})
    data.unlink()
    with pytest.raises(CheckpointError, match="data-00000-of-00001 cannot be read"):
        read_string(CheckpointReader(tmp_path / "m"), "s")
