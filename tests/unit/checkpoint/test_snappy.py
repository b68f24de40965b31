from __future__ import annotations

import pytest

from bertbuild.checkpoint.snappy import SnappyError, decompress

LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("block", "plain"),
    [
        (b"\x00", b""),
        (b"\x05\x10hello", b"hello"),
        (b"\x09\x08abc\x09\x03", b"abcabcabc"),  # one-byte offset; the copy overlaps what it writes
        (b"\x06\x08abc\x0a\x03\x00", b"abcabc"),  # two-byte offset
        (b"\x06\x08abc\x0b\x03\x00\x00\x00", b"abcabc"),  # four-byte offset
        (b"\x46\xf0\x45" + b"x" * 70, b"x" * 70),  # literal with one byte of size
        (b"\xac\x02\xf4\x2b\x01" + b"y" * 300, b"y" * 300),  # literal with two bytes of size
        (b"\x46\x00z" + b"\xfe\x01\x00" + b"\x12\x01\x00", b"z" * 70),
    ],
)
def test_every_kind_of_element(block, plain):
    assert decompress(block, limit=LIMIT) == plain


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x80",
        b"\x05\x10hell",
        b"\x04\x10hello",
        b"\x06\x10hello",
        b"\x05\xf0",
        b"\x05\xf4\x01",
        b"\x04\x00a\x09\x02",  # reaches before the start
        b"\x04\x00a\x09\x00",  # offset nought
        b"\x04\x00a\x01",
        b"\x04\x00a\x02\x01",
        b"\x04\x00a\x03\x01\x00",
        b"\xff\xff\xff\xff\x0f\x00a",  # announces 4 GB
    ],
)
def test_damaged_blocks_are_refused(block):
    with pytest.raises(SnappyError):
        decompress(block, limit=LIMIT)
