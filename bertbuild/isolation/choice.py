"""Where the stages of a store run: as asked, else as its last build did, else in the first place that can be used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bertbuild.files.disk import write_atomically
from bertbuild.places import AUTO, PLACES

LAST = "isolation"
"""The file of a store that has the name of the isolation that its last build used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An isolation, and why it is that one.

    Attributes:
        name: of a place, one of `PLACES`.
        why: in a few words.
        other: whether the last build of the store used another one, so that all is made again.
    """

    name: str
    why: str
    other: bool = False


def choose(wanted: str, last: str, why_not: Callable[[str], str]) -> Choice:
    """Choose between the places, which have keys of their own: who changes builds all again.

    Args:
        wanted: the name of a place, or "auto".
        last: what the last build of the store used; empty for none.
        why_not: why a place cannot be used, "" where it can; asked only where it decides.
    """
    if wanted != AUTO:
        return Choice(name=wanted, why="asked for", other=last not in ("", wanted))
    fallback = list(PLACES)[-1]
    order = list(dict.fromkeys([last, *PLACES] if last else PLACES))
    if order[-1] == fallback:
        order.pop()  # what is left where no other can be used, so nobody need ask
    reasons = []
    chosen = fallback
    for name in order:
        reason = why_not(name)
        if not reason:
            chosen = name
            break
        reasons.append(reason)
    if chosen == last:
        return Choice(name=chosen, why=f"the last build of this store used {PLACES[last].title}")
    if last:
        why = f"the last build of this store used {PLACES[last].title}, and {reasons[0]}"
        return Choice(name=chosen, why=why, other=True)
    return Choice(name=chosen, why=", ".join(reasons) if chosen == fallback else PLACES[chosen].available)


def last_used(store: Path) -> str:
    """The place that the last build of a store used; "" where there was none."""
    try:
        name = (store / LAST).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
    return name if name in PLACES else ""


def remember(store: Path, name: str) -> None:
    """Note what a build used; a store that cannot be written stays as it is."""
    if last_used(store) != name:
        with contextlib.suppress(OSError):
            write_atomically(store / LAST, name + "\n")
