"""F1 of entities, which tags of words tell: seqeval's default, for a stage that has not that library.

The tests hold it to the library's own numbers. https://github.com/chakki-works/seqeval (metrics/sequence_labeling.py),
which follows conlleval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_OUTSIDE, _NOTHING = "O", "O."


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """(type, first word, last word) of each entity of a sentence; a tag is "O" or a mark, "-" and a type ("B-PER")."""
    found, begin = set(), 0
    before, kind_before = _OUTSIDE, ""
    for place, tag in enumerate([*tags, _OUTSIDE]):
        mark, kind = tag[0], tag[1:].split("-", maxsplit=1)[-1] or "_"
        if _ended(before, mark, kind_before == kind):
            found.add((kind_before, begin, place - 1))
        if _begun(before, mark, kind_before == kind):
            begin = place
        before, kind_before = mark, kind
    return found


def _ended(before: str, mark: str, same: bool) -> bool:
    return before in "ES" or (before in "BI" and mark in "BSO") or (before not in _NOTHING and not same)


def _begun(before: str, mark: str, same: bool) -> bool:
    return mark in "BS" or (before in "ESO" and mark in "EI") or (mark not in _NOTHING and not same)


def entity_f1(right: Iterable[Sequence[str]], given: Iterable[Sequence[str]]) -> float:
    """F1 over all entities of some sentences; 0 where it would be 0/0."""
    common = asked = 0
    for one, other in zip(right, given, strict=True):
        own, theirs = entities(one), entities(other)
        common += len(own & theirs)
        asked += len(own) + len(theirs)
    return 2 * common / asked if asked else 0.0
