"""Numbers of things in words: "1 target", "2 targets"."""

from __future__ import annotations


def number_of(count: int, one: str, many: str = "") -> str:
    """How many there are: the number and what they are; `many` where it is not `one` with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def are(count: int, one: str = "is", many: str = "are") -> str:
    """The verb of so many: "is" of one, "are" of all others, or the two that are given."""
    return one if count == 1 else many
