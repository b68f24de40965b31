"""TensorFlow's DataType numbers by name.

Source: tensorflow/core/framework/types.proto (TensorFlow 1.15). Reference types (`float_ref`, of old variables) are the
same numbers plus 100 and are named like the type they refer to.
"""

from __future__ import annotations

_REFERENCE = 100

DTYPE_NAMES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    11: "qint8",
    12: "quint8",
    13: "qint32",
    14: "bfloat16",
    15: "qint16",
    16: "quint16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
}

DTYPE_NUMBERS = {name: number for number, name in DTYPE_NAMES.items()}


def dtype_name(number: int) -> str:
    """The name of DataType `number`; `"type_99"` for one that TensorFlow 1.15 does not have."""
    plain = number - _REFERENCE if number > _REFERENCE else number
    return DTYPE_NAMES.get(plain, f"type_{number}")
