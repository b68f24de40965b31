from __future__ import annotations

import pytest

from bertbuild.graph.wire import (
    WireError,
    encode_bytes,
    encode_fixed32,
    encode_number,
    encode_varint,
    fields,
    read_varint,
    signed,
)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), ((1 << 64) - 1, "ffffffffffffffffff01")],
)
def test_varints_are_those_of_the_protobuf_documentation(value, encoded):
    assert encode_varint(value).hex() == encoded
    assert read_varint(bytes.fromhex(encoded), 0, len(encoded) // 2) == (value, len(encoded) // 2)


def test_a_negative_number_is_stored_as_64_bit_twos_complement():
    encoded = encode_varint(-1)
    assert len(encoded) == 10
    assert signed(read_varint(encoded, 0, 10)[0]) == -1
    assert signed(5) == 5


@pytest.mark.parametrize("encoded", ["", "80", "ffffffffffffffffff02", "ffffffffffffffffffff01"])
def test_a_varint_that_is_cut_off_or_too_long_is_refused(encoded):
    data = bytes.fromhex(encoded)
    with pytest.raises(WireError):
        read_varint(data, 0, len(data))


def test_fields_are_walked_without_copying_their_payload():
    message = encode_number(1, 150) + encode_bytes(2, b"testing") + encode_fixed32(6, 0xDEADBEEF) + b"\x39" + b"\1" * 8
    found = list(fields(message))
    assert [(field.number, field.wire_type) for field in found] == [(1, 0), (2, 2), (6, 5), (7, 1)]
    assert found[0].value == 150
    assert message[found[1].start : found[1].end] == b"testing"
    assert found[2].value == 0xDEADBEEF
    assert found[3].value == 0x0101010101010101


@pytest.mark.parametrize("message", ["00", "0b", "0f", "1205aabb", "0d0102", "0901", "08", "fa"])
def test_malformed_fields_are_refused(message):
    with pytest.raises(WireError):
        list(fields(bytes.fromhex(message)))


def test_every_truncation_inside_a_field_is_noticed():
    message = encode_bytes(2, b"testing" * 30)
    for length in range(1, len(message)):
        with pytest.raises(WireError):
            list(fields(message[:length]))
