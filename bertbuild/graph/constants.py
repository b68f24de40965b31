"""The numbers in a TensorProto (tensorflow/core/framework/tensor.proto, TensorFlow 1.15)."""

from __future__ import annotations

import struct

from bertbuild.graph.wire import FIXED32, FIXED64, LENGTH_DELIMITED, WireError, fields, read_varint, signed

_CODES = {
    "float16": "e",
    "bfloat16": "H",
    "float32": "f",
    "float64": "d",
    "int32": "i",
    "int64": "q",
    "bool": "?",
}
"""How the bytes of a tensor's content are unpacked; struct knows no bfloat16."""


def numbers(tensor: bytes, dtype: str) -> list[float] | None:
    """The numbers of a tensor, flattened, as far as they are stored; None for a type that is none of `_CODES`.

    Raises `WireError` for a message that is malformed.
    """
    if dtype not in _CODES:
        return None
    found: list[float] = []
    for field in fields(tensor):
        payload = tensor[field.start : field.end] if field.wire_type == LENGTH_DELIMITED else b""
        if field.number == 4:  # tensor_content
            found.extend(_content(payload, dtype))
        elif field.number in (5, 6):  # float_val, double_val: packed, or one by one
            width, wire_type = ("f", FIXED32) if field.number == 5 else ("d", FIXED64)
            if field.wire_type not in (LENGTH_DELIMITED, wire_type):
                raise WireError(f"field {field.number} of a constant has the wire type {field.wire_type}")
            alone = field.wire_type == wire_type
            found.extend(_unpacked(width, tensor[field.start : field.end] if alone else payload))
        elif field.number in (7, 10, 11):  # int_val, int64_val, bool_val
            found.extend(signed(item) for item in (packed(payload) if payload else [field.value]))
        elif field.number == 13:  # half_val: the bits of float16 and bfloat16
            bits = packed(payload) if payload else [field.value]
            found.extend(_content(struct.pack(f"<{len(bits)}H", *(item & 0xFFFF for item in bits)), dtype))
    return found


def packed(payload: bytes) -> list[int]:
    """The varints of a packed field."""
    found: list[int] = []
    position = 0
    while position < len(payload):
        value, position = read_varint(payload, position, len(payload))
        found.append(value)
    return found


def _content(raw: bytes, dtype: str) -> list[float]:
    found = _unpacked(_CODES[dtype], raw)
    if dtype != "bfloat16":
        return found
    # A bfloat16 is the upper half of a float32.
    return _unpacked("f", b"".join(b"\0\0" + int(half).to_bytes(2, "little") for half in found))


def _unpacked(code: str, raw: bytes) -> list[float]:
    count, rest = divmod(len(raw), struct.calcsize(code))
    if rest:
        raise WireError("a constant has an odd number of bytes")
    return list(struct.unpack(f"<{count}{code}", raw))
