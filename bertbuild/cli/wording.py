"""Advice in the words of the program that was started: `invoke status` where it was Invoke, else `bertbuild status`.

Messages are written with `invoke`, as the documents are; what is shown is rendered here, in one place.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bertbuild.report.run_log import Reporter

WRITTEN = "invoke"
"""The program's name in messages and documents."""

_SENTENCES = ("message", "next_step", "text", "reason")
"""Keys of events that are written for people; a result's `lines` too. `details` are somebody else's words."""

_spoken: list[re.Pattern[str]] = []
_program: list[str] = []


def started_by_invoke() -> bool:
    """Whether this process is Invoke's own program, which looks for a tasks.py, and not ours."""
    program = Path(sys.argv[0])
    module = program.parent.name if program.name == "__main__.py" else program.name.removesuffix(".exe")
    return module in ("invoke", "inv")


@contextlib.contextmanager
def words_of(program: str, commands: Iterable[str]) -> Iterator[None]:
    """While it is entered, `rendered` names `program` in front of these commands."""
    names = "|".join(sorted(map(re.escape, commands), key=len, reverse=True))
    own = [] if program == WRITTEN else [re.compile(rf"\b{WRITTEN} (?=(?:{names}|COMMAND|--list|--help)\b)")]
    before = list(_spoken), list(_program)
    _spoken[:], _program[:] = own, [program]
    try:
        yield
    finally:
        _spoken[:], _program[:] = before


def started_program() -> str:
    """The program that was started: "invoke" or "bertbuild"."""
    return _program[0] if _program else WRITTEN


def rendered(text: str) -> str:
    """A sentence in the words of the program that was started."""
    return _spoken[0].sub("bertbuild ", text) if _spoken and WRITTEN in text else text


class Worded:
    """A reporter before another, which gets every sentence in the words of the program that was started."""

    def __init__(self, shown: Reporter) -> None:
        self._shown = shown

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Pass the event on, rendered."""
        changed: dict[str, Any] = {key: rendered(event[key]) for key in _SENTENCES if isinstance(event.get(key), str)}
        if "lines" in event:
            changed["lines"] = [rendered(line) for line in event["lines"]]
        if event["event"] == "run":  # whose log is read by `report`, which may have been started otherwise
            changed["program"] = started_program()
        self._shown({**event, **changed} if changed else event)

    def close(self) -> None:
        """Close the other."""
        self._shown.close()
