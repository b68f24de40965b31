"""A precompiled charsmap of SentencePiece, read: what stands for a part of a text. `character_map` writes such tables.

The form is the one that `character_map` describes: a double array of Darts-clone, whose units are 32 bits, and texts
that end in a 0.
"""

from __future__ import annotations

import struct
from typing import Final

_ENDS: Final = 1 << 8
_LED_BY: Final = 1 << 31 | 0xFF
_VALUE: Final = (1 << 31) - 1


class CharacterMap:
    """The table.

    Raises:
        ValueError: the bytes are no such table.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) < struct.calcsize("<I"):
            raise ValueError("its table of characters is cut off")
        (size,) = struct.unpack_from("<I", content)
        if size % 4 or not 0 < size < len(content) - 4:
            raise ValueError("its table of characters is cut off")
        self._units = struct.unpack_from(f"<{size // 4}I", content, 4)
        self._texts = content[4 + size :] + b"\0"

    def longest(self, text: str, place: int) -> tuple[str, int] | None:
        """What stands for the longest part of a text that begins at a place, and the characters of that part; None
        where there is none.
        """
        units, found = self._units, None
        node = _offset(units[0])
        for end in range(place, len(text)):
            for byte in text[end].encode():
                node ^= byte
                if node >= len(units) or units[node] & _LED_BY != byte:
                    return found
                unit = units[node]
                node ^= _offset(unit)
            if unit & _ENDS and node < len(units) and units[node] & _VALUE < len(self._texts):
                found = self._text(units[node] & _VALUE), end + 1 - place
        return found

    def _text(self, begin: int) -> str:
        return self._texts[begin : self._texts.index(0, begin)].decode("utf-8", "replace")


def _offset(unit: int) -> int:
    return unit >> 10 << ((unit & 1 << 9) >> 6)
