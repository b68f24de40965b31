"""How many there are of each state."""

from __future__ import annotations

from collections.abc import Iterable


def counts(states: Iterable[str]) -> dict[str, int]:
    """How many there are of each state."""
    found = list(states)
    return {state: found.count(state) for state in dict.fromkeys(found)}


def counted(states: Iterable[str]) -> str:
    """The same in words: "3 would run, 2 up to date"."""
    return ", ".join(f"{count} {state}" for state, count in counts(states).items())
