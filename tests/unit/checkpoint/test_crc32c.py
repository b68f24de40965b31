from __future__ import annotations

import numpy as np
import pytest

from bertbuild.checkpoint.crc32c import crc32c, crc32c_in_place, masked, unmasked

CHANCE = np.random.default_rng(20181018)


def _table():
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


TABLE = _table()


def slow(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_vectors_of_rfc_3720(data, crc):
    assert crc32c(data) == crc
    assert slow(data) == crc


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_every_short_length(start):
    for length in range(start, start + 100):
        data = CHANCE.bytes(length)
        assert crc32c(data) == slow(data), length


def test_lengths_around_every_boundary():
    edges = [128, 4096, 6777, 6293, 6677, 4 * 6777, 16 * 6777, 16 * 6293, 16 * (6777 + 6293), 131072]
    lengths = [edge + shift for edge in edges for shift in (-9, -8, -1, 0, 1, 7)]
    lengths += CHANCE.integers(0, 10_000, 60).tolist()
    for length in lengths:
        data = CHANCE.bytes(length)
        assert crc32c(data) == slow(data), length


def test_megabytes_from_unaligned_starts():
    data = CHANCE.bytes(5_000_003)
    whole = slow(data)
    assert crc32c(data) == whole
    for start in (1, 3, 4_700_001):
        assert crc32c(memoryview(data)[start:]) == slow(data[start:])
    buffer = np.frombuffer(b"xyz" + data, np.uint8).copy()
    assert crc32c_in_place(buffer[3:]) == whole


def test_the_crc_of_chunks_is_that_of_the_whole():
    data = CHANCE.bytes(300_000)
    for size in (1, 63, 64, 65, 6777, 100_000):
        crc = 0
        part = data[:2000] if size == 1 else data
        for start in range(0, len(part), size):
            crc = crc32c(part[start : start + size], crc)
        assert crc == crc32c(part), size


def test_arrays_are_checked_as_they_lie_in_memory_and_left_alone():
    array = CHANCE.standard_normal((300, 400)).astype(np.float32)
    before = array.copy()
    assert crc32c(array) == slow(array.tobytes())
    assert crc32c(array.T) == slow(array.T.tobytes())
    assert np.array_equal(array, before)
    assert crc32c(np.float32(1.5).reshape(())) == slow(np.float32(1.5).tobytes())


def test_one_flipped_bit_changes_the_crc():
    data = bytearray(CHANCE.bytes(40_000))
    crc = crc32c(bytes(data))
    for bit in CHANCE.integers(0, 320_000, 50).tolist():
        data[bit // 8] ^= 1 << bit % 8
        assert crc32c(bytes(data)) != crc
        data[bit // 8] ^= 1 << bit % 8


def test_the_mask_is_undone():
    assert masked(0) == 0xA282EAD8
    for crc in (0, 1, 0xFFFFFFFF, 0xE3069283, 0x8A9136AA):
        assert unmasked(masked(crc)) == crc
        assert masked(crc) != crc
