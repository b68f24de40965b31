"""A table of characters in the form that SentencePiece calls a precompiled charsmap, and OpenVINO's
CharsMapNormalization reads: the size of a double array (Darts-clone's), the array, and the texts that its values lead
to, each with a 0 at its end.

A unit of the array has 32 bits: 0 to 7 the byte that leads to it; 8 whether a key ends there; 10 to 30 what its place
is combined with (exclusive or) for its base. The unit at base and byte is where that byte leads; the one at the base
itself has bit 31 and the value. No two units have one base.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

_VALUE = 1 << 31
_ENDS = 1 << 8
_BASE = 10
_MOST = 1 << 21
_CONTINUING = range(0x80, 0xC0)
"""The second byte of a character, and those after it."""


def character_map(changed: Mapping[str, str]) -> bytes:
    """The table.

    Args:
        changed: character → the text in its place. Neither holds the character 0.
    """
    texts = bytearray()
    begins: dict[bytes, int] = {}
    tree: dict[int, Any] = {}
    for char, text in changed.items():
        content = text.encode() + b"\0"
        if content not in begins:
            begins[content] = len(texts)
            texts += content
        *way, last = char.encode()
        node = tree
        for byte in way:
            node = node.setdefault(byte, {})
        node[last] = begins[content]
    units = _units(tree)
    return struct.pack(f"<{len(units) + 1}I", 4 * len(units), *units) + bytes(texts)


def _units(tree: dict[int, Any]) -> list[int]:
    """The array. A unit that nothing leads to has bit 31, so that no byte is taken for its own."""
    units = [_VALUE] * 256
    ends = []
    waiting: list[tuple[int, int, dict[int, Any]]] = [(0, 0, tree)]
    while waiting:
        place, byte, node = waiting.pop()
        # A block of its own, so that no other node's bytes fall into it.
        small = all(one in _CONTINUING for one in node)
        base = _block(units, 64) ^ _CONTINUING[0] if small else _block(units, 256)
        units[place] = _led_by(byte, place, base)
        for one, child in node.items():
            if isinstance(child, dict):
                waiting.append((base ^ one, one, child))
            else:
                ends.append((base ^ one, one, child))
    _block(units, 256)
    for place, byte, value in ends:
        units[place] = _led_by(byte, place, len(units)) | _ENDS
        units.append(_VALUE | value)
    _block(units, 256)
    return units


def _block(units: list[int], size: int) -> int:
    """Where a new block of units begins, at a multiple of its size."""
    start = -(-len(units) // size) * size
    units.extend([_VALUE] * (start + size - len(units)))
    return start


def _led_by(byte: int, place: int, base: int) -> int:
    if place ^ base >= _MOST:
        raise ValueError("the table has more characters than its form can hold")
    return byte | (place ^ base) << _BASE
