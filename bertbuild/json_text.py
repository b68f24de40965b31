"""JSON from a file or a program, parsed: whatever is wrong with it, ValueError says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def parse_json(text: str | bytes, *, parse_int: Callable[[str], Any] | None = None) -> Any:
    """The value of a JSON text; bytes may be UTF-8, UTF-16 or UTF-32.

    Time and memory are in the size of the text, and its depth is bounded by the interpreter's recursion limit.

    Args:
        text: the whole of it.
        parse_int: what makes a number of a whole one's digits; `int` where it is not given.

    Raises:
        ValueError: it is not JSON, not text, nested too deeply, or has a number of too many digits.
    """
    try:
        return json.loads(text, parse_int=parse_int)
    except RecursionError as error:
        raise ValueError("its lists lie too deep in one another") from error
