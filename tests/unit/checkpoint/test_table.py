from __future__ import annotations

import struct

import numpy as np
import pytest

from bertbuild.checkpoint import table
from bertbuild.checkpoint.crc32c import crc32c, masked
from bertbuild.checkpoint.table import MAGIC, TableFormatError, read_table, write_table
from bertbuild.graph.wire import encode_varint

ENTRIES = [(b"", b"header"), *((f"bert/layer_{i:03d}/kernel".encode(), bytes([i % 256]) * (i % 7)) for i in range(100))]


EMPTY = struct.pack("<2I", 0, 1)  # a block without entries


def assembled(block, kind, *, metaindex=EMPTY, last_key=b"\xff"):
    """A table with one data block as given."""
    output = bytearray()

    def append(content, kind):
        handle = encode_varint(len(output)) + encode_varint(len(content))
        typed = content + bytes([kind])
        output.extend(typed + struct.pack("<I", masked(crc32c(typed))))
        return handle

    handle = append(block, kind)
    footer = append(metaindex, 0)
    entry = bytes([0, len(last_key), len(handle)]) + last_key + handle
    footer += append(entry + struct.pack("<2I", 0, 1), 0)
    return bytes(output) + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


@pytest.mark.parametrize("entries", [[], [(b"", b"")], [(b"a", b"1")], ENTRIES])
def test_what_is_written_is_read(entries):
    assert read_table(write_table(entries)) == entries


def test_many_blocks(monkeypatch):
    monkeypatch.setattr(table, "_BLOCK_SIZE", 200)
    keys = sorted({bytes(key) for key in np.random.default_rng(3).integers(250, 256, (400, 5), np.uint8)})
    entries = [(key, key * 3) for key in keys]
    assert read_table(write_table(entries)) == entries


@pytest.mark.parametrize(
    ("start", "limit", "between"),
    [
        (b"abcd", b"abzz", b"abd"),
        (b"abc", b"abd", b"abc"),
        (b"ab", b"abc", b"ab"),
        (b"a\xffb", b"b", b"a\xffb"),
        (b"a\xffb", b"c", b"b"),
    ],
)
def test_index_keys_between_blocks_follow_leveldb(start, limit, between):
    assert table._separator(start, limit) == between


@pytest.mark.parametrize(
    ("key", "after"), [(b"abc", b"b"), (b"\xffa", b"\xffb"), (b"\xff\xff", b"\xff\xff"), (b"", b"")]
)
def test_the_last_index_key_follows_leveldb(key, after):
    assert table._successor(key) == after


def test_keys_out_of_order_are_not_written():
    with pytest.raises(ValueError, match="ascend"):
        write_table([(b"b", b""), (b"a", b"")])


def test_genuine_indices_are_written_again_byte_for_byte(shared):
    found = sorted(shared.glob("*/*.index"))
    assert len(found) == 4
    for path in found:
        content = path.read_bytes()
        assert write_table(read_table(content)) == content, path


def test_compressed_blocks_are_read():
    plain = b"\x00\x01\x02a12" + struct.pack("<2I", 0, 1)
    compressed = bytes([len(plain), (len(plain) - 1) << 2]) + plain
    assert read_table(assembled(compressed, 1)) == [(b"a", b"12")]


BLOCK = b"\x00\x01\x02a12" + struct.pack("<2I", 0, 1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "less than the 48"),
        (bytes(100), "magic"),
        (b"\x80" * 40 + struct.pack("<Q", MAGIC), "footer"),
        (b"\x00" * 39 + b"\x01" + struct.pack("<Q", MAGIC), "footer"),
        (assembled(BLOCK, 2), "unknown type 2"),
        (assembled(BLOCK, 1), "compressed block"),
        (assembled(BLOCK, 0, metaindex=BLOCK), "metaindex"),
        (assembled(BLOCK, 0, last_key=b"A"), "does not fit"),
        (assembled(b"", 0), "restart"),
        (assembled(struct.pack("<I", 9), 0), "restart"),
        (assembled(b"\x00\x01" + struct.pack("<2I", 0, 1), 0), "cut off"),
        (assembled(b"\x00\x09\x00a" + struct.pack("<2I", 0, 1), 0), "bounds"),
        (assembled(b"\x03\x01\x00a" + struct.pack("<2I", 0, 1), 0), "bounds"),
        (assembled(b"\x00\x01\x00b\x00\x01\x00a" + struct.pack("<2I", 0, 1), 0), "order"),
    ],
)
def test_damage_is_told(data, why):
    with pytest.raises(TableFormatError, match=why):
        read_table(data)


def test_every_flipped_bit_and_every_truncation_is_noticed():
    content = write_table(ENTRIES[:9])
    for length in range(len(content)):
        with pytest.raises(TableFormatError):
            read_table(content[:length])
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TableFormatError):
            read_table(bytes(damaged))
