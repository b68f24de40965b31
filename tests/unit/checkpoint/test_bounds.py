"""Small files that announce much: each reader refuses them, or reads them, in memory and steps of its input's size."""

from __future__ import annotations

import itertools
import struct

import pytest
from bounded import within

from bertbuild.checkpoint import object_graph, slices, table
from bertbuild.checkpoint.bundle import CheckpointReader
from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.checkpoint.data_files import check_data_files
from bertbuild.checkpoint.folder import OBJECT_GRAPH_KEY
from bertbuild.checkpoint.object_graph import VALUE, read_variables, value_key
from bertbuild.checkpoint.slices import fill
from bertbuild.checkpoint.snappy import SnappyError, decompress
from bertbuild.checkpoint.table import MAGIC, TableFormatError, read_table, write_table
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.errors import CheckpointError
from bertbuild.graph.wire import WireError, encode_bytes, encode_fixed32, encode_number, encode_varint

MEBIBYTE = 1 << 20
HEADER = encode_number(1, 1) + encode_bytes(3, encode_number(1, 1))


def block(entries):
    """A plain block of (shared, unshared, value)."""
    content = b"".join(
        encode_varint(shared) + encode_varint(len(key)) + encode_varint(len(value)) + key + value
        for shared, key, value in entries
    )
    return content + struct.pack("<2I", 0, 1)


def table_of(data, *, named=1, kind=0):
    """A table with one data block that its index names `named` times."""
    output = bytearray()

    def append(content, kind=0):
        handle = encode_varint(len(output)) + encode_varint(len(content))
        typed = content + bytes([kind])
        output.extend(typed + struct.pack("<I", masked(crc32c(typed))))
        return handle

    handle = append(data, kind)
    footer = append(block([]))
    footer += append(block([(0, b"\xff" + number.to_bytes(3, "big"), handle) for number in range(named)]))
    return bytes(output) + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def test_an_index_that_names_a_block_many_times_is_refused_before_it_is_read():
    content = table_of(block([(0, b"a", b"x" * MEBIBYTE)]), named=300)
    with within(size=len(content), steps=200_000), pytest.raises(TableFormatError, match="lie in each other"):
        read_table(content)


def test_many_keys_that_share_one_long_beginning_are_refused():
    first = (0, b"k" * 200_000 + b"\0\0\0", b"")
    content = table_of(block([first, *((200_000, n.to_bytes(3, "big"), b"") for n in range(1, 20_000))]))
    with within(size=len(content), steps=200_000), pytest.raises(TableFormatError, match=r"keys have more than \d+ by"):
        read_table(content)


def test_more_keys_than_a_checkpoint_has_are_refused(monkeypatch):
    monkeypatch.setattr(table, "_MOST_KEYS", 100)
    entries = [(number.to_bytes(2, "big"), b"") for number in range(102)]
    assert read_table(write_table(entries[:99])) == entries[:99]
    with pytest.raises(TableFormatError, match="more than 100 keys, the most that are read"):
        read_table(write_table(entries))


def test_a_compressed_block_costs_what_it_holds():
    size = MEBIBYTE
    content = encode_varint(size) + b"\x00a" + b"\xfe\x01\x00" * (size // 64 - 1) + b"\xfa\x01\x00"
    with within(size=len(content), steps=16 * len(content)):
        assert decompress(content, limit=1 << 28) == b"a" * size


def test_a_copy_that_overlaps_itself_repeats_what_is_there():
    assert decompress(b"\x0b\x08abc" + bytes([7 << 2 | 2]) + b"\x03\x00", limit=64) == b"abcabcabcab"


def test_a_compressed_block_that_announces_more_than_it_can_hold_is_refused_unread():
    with pytest.raises(SnappyError, match="more than 22 times its own"):
        decompress(encode_varint(16 * MEBIBYTE) + b"\x00a", limit=1 << 28)


def entry(nbytes, offset):
    shape = encode_bytes(2, encode_bytes(2, encode_number(1, nbytes)))
    return encode_number(1, 4) + shape + encode_number(4, offset) + encode_number(5, nbytes) + encode_fixed32(6, 1)


def test_tensors_over_one_another_are_refused_however_large_the_file(tmp_path):
    entries = [(b"", HEADER), *((b"t%04d" % number, entry(1 << 30, 0)) for number in range(300))]
    index = tmp_path / "m.index"
    index.write_bytes(write_table(entries))
    with within(size=index.stat().st_size, steps=2_000_000), pytest.raises(CheckpointError, match="in the same bytes"):
        CheckpointReader(tmp_path / "m")


def test_tensors_side_by_side_and_empty_ones_are_read(tmp_path):
    entries = [(b"", HEADER), (b"a", entry(4, 0)), (b"b", entry(0, 2)), (b"c", entry(4, 4)), (b"d", entry(0, 4))]
    (tmp_path / "m.index").write_bytes(write_table(entries))
    assert list(CheckpointReader(tmp_path / "m").entries) == ["a", "b", "c", "d"]


def test_of_very_many_announced_data_files_few_are_told(tmp_path):
    header = encode_number(1, 99_999) + encode_bytes(3, encode_number(1, 1))
    (tmp_path / "m.index").write_bytes(write_table([(b"", header), (b"a", entry(4, 0))]))
    with within(size=0, steps=50_000):
        problems = check_data_files(CheckpointReader(tmp_path / "m")).problems
    assert len(problems) == 21
    assert problems[-1] == "99979 data files more were not looked for: 20 are not there already."


def test_a_shape_of_very_many_axes_is_refused(tmp_path):
    shape = encode_bytes(2, encode_bytes(2, encode_number(1, 1 << 40)) * 100_000)
    (tmp_path / "m.index").write_bytes(write_table([(b"", HEADER), (b"a", encode_number(1, 4) + shape)]))
    with within(size=0, steps=100_000), pytest.raises(CheckpointError, match="more than 32 axes"):
        CheckpointReader(tmp_path / "m")


def test_a_variable_said_to_have_more_parts_than_there_are_is_refused(tmp_path):
    value = encode_number(1, 4) + encode_bytes(2, b"") + encode_bytes(7, b"") * 5000
    (tmp_path / "m.index").write_bytes(write_table([(b"", HEADER), (b"a", value)]))
    with within(size=len(value), steps=500_000), pytest.raises(CheckpointError, match="more parts than there are"):
        CheckpointReader(tmp_path / "m")


def test_parts_on_one_axis_take_a_step_each_and_a_grid_without_end_is_refused(monkeypatch):
    rows = [(slice(n, n + 1), slice(0, 3)) for n in range(1000)]
    with within(size=0, steps=40_000):
        assert fill((1000, 3), rows)
    assert not fill((1000, 3), [*rows[:-1], rows[0]])
    cube = [tuple(slice(bit, bit + 1) for bit in bits) for bits in itertools.product((0, 1), repeat=9)]
    assert fill((2,) * 9, cube)
    monkeypatch.setattr(slices, "_MOST_COMPARISONS", 5000)
    with pytest.raises(WireError, match="comparisons"):
        fill((2,) * 9, cube)


@pytest.mark.parametrize("levels", [1, 5, 40])
def test_paths_that_double_with_every_object_are_refused_by_their_number(tmp_path, monkeypatch, levels):
    monkeypatch.setattr(object_graph, "_MOST_STEPS", 20_000)
    child = [
        b"".join(encode_bytes(1, encode_number(1, n + 1) + encode_bytes(2, name)) for name in (b"a", b"b"))
        for n in range(levels)
    ]
    value = b"".join(encode_bytes(at, text.encode()) for at, text in enumerate((VALUE, "v", value_key(("v",))), 1))
    message = b"".join(encode_bytes(1, node) for node in [*child, encode_bytes(2, value)])
    write_checkpoint(tmp_path / "m", {OBJECT_GRAPH_KEY: message})
    reader = CheckpointReader(tmp_path / "m")
    if levels < 40:
        assert len(read_variables(reader)) == 2**levels
        return
    assert len(message) < 1000
    with within(size=len(message), steps=600_000), pytest.raises(CheckpointError, match="take more than 20000 steps"):
        read_variables(reader)


def test_more_objects_than_a_checkpoint_has_are_refused(tmp_path):
    write_checkpoint(tmp_path / "m", {OBJECT_GRAPH_KEY: encode_bytes(1, b"") * 100_001})
    with pytest.raises(CheckpointError, match="more than 100000 objects"):
        read_variables(CheckpointReader(tmp_path / "m"))


def test_a_string_said_to_be_longer_than_its_file_takes_no_memory_for_it(tmp_path):
    value = encode_number(1, 7) + encode_bytes(2, b"") + encode_number(5, 1 << 62) + encode_fixed32(6, 1)
    (tmp_path / "m.index").write_bytes(write_table([(b"", HEADER), (OBJECT_GRAPH_KEY.encode(), value)]))
    (tmp_path / "m.data-00000-of-00001").write_bytes(b"abc")
    with within(size=3, steps=20_000), pytest.raises(CheckpointError, match="is damaged"):
        read_variables(CheckpointReader(tmp_path / "m"))


def test_a_string_longer_than_any_object_graph_is_refused_unread(tmp_path):
    value = encode_number(1, 7) + encode_bytes(2, b"") + encode_number(5, 1 << 30) + encode_fixed32(6, 1)
    (tmp_path / "m.index").write_bytes(write_table([(b"", HEADER), (OBJECT_GRAPH_KEY.encode(), value)]))
    with (tmp_path / "m.data-00000-of-00001").open("wb") as data:
        data.truncate(1 << 30)
    with within(size=0, steps=20_000), pytest.raises(CheckpointError, match="at most 67108864 are read"):
        read_variables(CheckpointReader(tmp_path / "m"))
