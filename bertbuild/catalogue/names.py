"""Entries of a catalogue found by name or alias, and the nearest names where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Named(Protocol):
    """What has a name, and maybe others."""

    @property
    def name(self) -> str:
        """As it is spelt in the catalogue."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """What people call it too."""


Entry = TypeVar("Entry", bound=Named)


def by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entries by name and alias, without case."""
    return {word.casefold(): entry for entry in entries for word in (entry.name, *entry.aliases)}


def suggestion(wanted: str, known: dict[str, Entry]) -> str:
    """A question with the names nearest to `wanted` (without case) among `by_name`'s; "" if none is near."""
    import difflib

    near = difflib.get_close_matches(wanted, known, n=5, cutoff=0.6)
    # Parts of names count as near too: "multilingual" is far from every full name by edit distance.
    near += [word for word in known if len(wanted) > 2 and wanted in word and word not in near]
    # Names are shown as they are spelt, each entry once, since several of its words may be near.
    spelt = {known[word].name: _spelling(word, known[word]) for word in reversed(near)}
    words = [spelt[entry] for entry in reversed(spelt)]
    return f" Did you mean {' or '.join(words[:4])}?" if words else ""


def _spelling(word: str, entry: Named) -> str:
    return next(spelt for spelt in (entry.name, *entry.aliases) if spelt.casefold() == word)
