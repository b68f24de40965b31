"""The protobuf wire format: just enough of it to read and write the messages TensorFlow stores.

A message is a run of fields; a field is a tag (number and wire type) and a value. Reading never copies: a
length-delimited field is reported as the span of its bytes, so a gigabyte of weights is stepped over, not loaded.
Source of the encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Iterator, NamedTuple  # noqa: UP035  (Python 3.7: collections.abc cannot be subscripted)

VARINT = 0
FIXED64 = 1
LENGTH_DELIMITED = 2
FIXED32 = 5

_MAX_VARINT_BYTES = 10  # 64 bits in groups of 7


class WireError(ValueError):
    """The bytes are not a protobuf message, or one that ends too early."""


class Field(NamedTuple):
    """One field of a message, not yet interpreted."""

    number: int
    """Field number, 1 or more."""
    wire_type: int
    """VARINT, FIXED64, LENGTH_DELIMITED or FIXED32."""
    value: int
    """The unsigned number; for a length-delimited field its length in bytes."""
    start: int
    """Where the payload of a length-delimited field starts in the buffer (of any other field: where it was read)."""
    end: int
    """Just past the payload."""


def read_varint(buffer: bytes, position: int, end: int) -> tuple[int, int]:
    """Read an unsigned varint of at most 64 bits; return it and the position after it.

    Raises `WireError` when the buffer ends inside it or it has more than 64 bits.
    """
    value = 0
    for count in range(_MAX_VARINT_BYTES):
        if position >= end:
            raise WireError("a varint is cut off")
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if value >> 64:
                break
            return value, position
    raise WireError("a varint has more than 64 bits")


def fields(buffer: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """Walk the fields of the message in `buffer[start:end]`; `buffer` may be bytes or an mmap.

    Raises `WireError` at the first field that is malformed or reaches beyond `end`.
    """
    position = start
    stop = len(buffer) if end is None else end
    while position < stop:
        tag, position = read_varint(buffer, position, stop)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError("a field has number 0")
        first = position
        if wire_type == VARINT:
            value, position = read_varint(buffer, position, stop)
        elif wire_type == LENGTH_DELIMITED:
            value, first = read_varint(buffer, position, stop)
            position = first + value
        elif wire_type in (FIXED64, FIXED32):
            position += 8 if wire_type == FIXED64 else 4
            value = int.from_bytes(buffer[first:position], "little")
        else:
            raise WireError(f"a field has the unknown wire type {wire_type}")
        if position > stop:
            raise WireError(f"field {number} is cut off")
        yield Field(number, wire_type, value, first, position)


def signed(value: int) -> int:
    """The int32 or int64 that protobuf stored as the unsigned 64-bit varint `value`."""
    return value - (1 << 64) if value >> 63 else value


def encode_varint(value: int) -> bytes:
    """The varint of `value`; a negative number is stored as its 64-bit two's complement."""
    rest = value & 0xFFFFFFFFFFFFFFFF
    encoded = bytearray()
    while rest >= 0x80:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def encode_tag(number: int, wire_type: int) -> bytes:
    """The tag that opens field `number`."""
    return encode_varint(number << 3 | wire_type)


def encode_number(number: int, value: int) -> bytes:
    """A varint field."""
    return encode_tag(number, VARINT) + encode_varint(value)


def encode_fixed32(number: int, value: int) -> bytes:
    """A fixed32 field; `value` is unsigned."""
    return encode_tag(number, FIXED32) + value.to_bytes(4, "little")


def encode_bytes(number: int, payload: bytes) -> bytes:
    """A length-delimited field: a string, bytes or a message that is already encoded."""
    return encode_tag(number, LENGTH_DELIMITED) + encode_varint(len(payload)) + payload
