"""Which files may be opened: a named pipe lets its reader wait for a writer, a device may have no end."""

from __future__ import annotations

import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def irregular(path: Path) -> str | None:
    """The clause on what is not a regular file ("is a named pipe, not a regular file"); None for one, and for nothing.

    Links are followed. Nothing is opened.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    kind = next((words for is_one, words in _KINDS if is_one(mode)), None)
    return None if kind is None else f"is {kind}, not a regular file"
