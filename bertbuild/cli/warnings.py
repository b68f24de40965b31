"""What a command line was told about itself, until its command has a listener."""

from __future__ import annotations

_waiting: list[str] = []


def tell(text: str) -> None:
    """Keep a sentence for the listener of the command; one that is told again counts once."""
    if text not in _waiting:
        _waiting.append(text)


def told() -> list[str]:
    """The sentences, which are nobody's afterwards."""
    texts = list(_waiting)
    _waiting.clear()
    return texts
