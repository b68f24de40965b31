"""Names: made fit for a folder, and the nearest of those that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable


def clean_name(name: str) -> str:
    """A name that is safe as a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"


def is_meant(model: str, target: str, name: str) -> bool:
    """Whether a name that was typed means a target: its model, its own, MODEL/TARGET, or a shell's pattern of these."""
    from fnmatch import fnmatchcase

    of_model, slash, of_target = name.partition("/")
    if slash:
        return fnmatchcase(model, of_model) and fnmatchcase(target, of_target)
    return fnmatchcase(model, name) or fnmatchcase(target, name)


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """The end of a sentence that names what is nearest to `wanted`, or just a full stop."""
    import difflib

    spelt = {_plain(word): word for word in known}
    near = difflib.get_close_matches(_plain(wanted), spelt, n=1)
    return f'; did you mean "{spelt[near[0]]}"?' if near else "."


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_")
