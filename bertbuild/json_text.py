"""JSON from a file or a program, parsed: whatever is wrong with it, ValueError says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

_MOST_HOLDERS: Final = 400_000
_BYTES_OF_HOLDER: Final = 24
"""A list or object takes 240 bytes in memory where a text of 3 bytes says it; SQuAD has one in a hundred bytes."""


def parse_json(text: str | bytes, *, parse_int: Callable[[str], Any] | None = None) -> Any:
    """The value of a JSON text; bytes may be UTF-8, UTF-16 or UTF-32.

    Time is in the size of the text, memory at most about ten times that and 100 MB: there are no more lists and objects
    than one in `_BYTES_OF_HOLDER` bytes, or `_MOST_HOLDERS`. The depth is bounded by the interpreter's recursion limit.

    Args:
        text: the whole of it.
        parse_int: what makes a number of a whole one's digits; `int` where it is not given.

    Raises:
        ValueError: it is not JSON, not text, nested too deeply, or has a number of too many digits, or too many lists
            and objects.
    """
    brackets = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    most = max(_MOST_HOLDERS, len(text) // _BYTES_OF_HOLDER)
    if len(text) > _MOST_HOLDERS and sum(map(text.count, brackets)) > most:  # type: ignore[arg-type]
        raise ValueError(f"it has more than {most} lists and objects, the most that are read of a text of its size")
    try:
        return json.loads(text, parse_int=parse_int)
    except RecursionError as error:
        raise ValueError("its lists lie too deep in one another") from error
