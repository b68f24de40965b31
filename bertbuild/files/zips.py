"""What the end of a zip says of its directory, told before `zipfile` reads all of that."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

_END, _WIDE = 22, 76
"""Bytes of the end of the directory, and of what stands before it where sizes have 64 bits."""
_LONGEST_COMMENT: Final = 65_535


class Directory(NamedTuple):
    """The bytes of a directory, and its entries; of entries the lower 16 bits where they are not known better."""

    size: int
    entries: int

    def has(self, listed: int) -> bool:
        """Whether it has so many: `zipfile` stops without a word at an entry that is longer than the rest."""
        return (listed - self.entries) % (1 << 16) == 0


def directory(path: Path) -> Directory | None:
    """The directory of a zip, None where its end is not found or contradicts itself: `zipfile` would list too little.

    APPNOTE.TXT 4.3.16: the end of the directory has both; 4.3.14: of 64 bits, what stands before that. Raises OSError.
    """
    with path.open("rb") as file:
        start = max(0, path.stat().st_size - _END - _LONGEST_COMMENT - _WIDE)
        file.seek(start)
        tail = file.read()
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) < end + _END:
        return None

    def number(place: int, width: int) -> int:
        return int.from_bytes(tail[end + place : end + place + width], "little")

    size, entries = number(12, 4), number(10, 2)
    if number(8, 2) != entries or not {number(4, 2), number(6, 2)} <= {0, 0xFFFF} or (entries == 0 and start + end > 0):
        return None  # entries here and in all, the numbers of disks; what has no entries is nothing but this end
    if end >= _WIDE and tail[end - 20 : end - 16] == b"PK\6\7" and tail[end - 76 : end - 72] == b"PK\6\6":
        size = number(-36, 8) if size == 0xFFFFFFFF else max(size, number(-36, 8))
        entries = number(-44, 8)
    return Directory(size, entries)
