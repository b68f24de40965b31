"""Words from files, servers and stages as people may see them: nothing in them steers a terminal or begins a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_UNPRINTABLE: Final = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
_BREAKS: Final = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_OF_LINES: Final = "details"
"""The part of an event that has many lines; each is shown behind a mark."""


def clean(text: str) -> str:
    """The text without what steers a terminal or turns its direction, and without what UTF-8 cannot hold.

    Line feeds and tabs stay.
    """
    if text.isprintable():  # as most are; a test holds the patterns against it
        return text
    return _UNPRINTABLE.sub("", _ESCAPES.sub("", text))


def cleaned(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event for people: its words clean and each on one line, however deep they lie; `details` keep their lines."""
    return {name: clean(value) if name == _OF_LINES else _value(value) for name, value in event.items()}


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else clean(_BREAKS.sub(" ", value))
    if value is None or isinstance(value, float | int):
        return value
    if isinstance(value, Mapping):
        return {name: _value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return value
