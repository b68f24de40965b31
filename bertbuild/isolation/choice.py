"""Where the stages of a store run: as asked, else as its last build did, else in Docker where an engine answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bertbuild.files.disk import write_atomically

LAST = "isolation"
"""The file of a store that has the name of the isolation that its last build used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An isolation, and why it is that one.

    Attributes:
        name: "docker" or "venv".
        why: in a few words.
        other: whether the last build of the store used the other one, so that all is made anew.
    """

    name: str
    why: str
    other: bool = False


def choose(
    wanted: str,
    last: str,
    *,
    docker: Callable[[], bool],
    venv: Callable[[], bool],
    without: str = "no Docker engine answers",
) -> Choice:
    """Choose between Docker and virtual environments, which have keys of their own: who changes builds all anew.

    Args:
        wanted: "docker", "venv" or "auto".
        last: what the last build of the store used; empty for none.
        docker: whether an engine answers; asked only where it decides.
        venv: whether virtual environments can be used; likewise.
        without: why Docker cannot be used, where `docker` says so.
    """
    if wanted != "auto":
        return Choice(name=wanted, why="asked for", other=last not in ("", wanted))
    if last == "venv":
        if venv() or not docker():
            return Choice(name="venv", why="the last build of this store used virtual environments")
        why = "the last build of this store used virtual environments, and no Python for them is found here now"
        return Choice(name="docker", why=why, other=True)
    if docker():
        return Choice(name="docker", why="the last build of this store used it" if last else "an engine answers")
    if last:
        why = "the last build of this store used Docker, and no engine answers now"
        return Choice(name="venv", why=why, other=True)
    return Choice(name="venv", why=without)


def last_used(store: Path) -> str:
    """What the last build of a store used: "docker", "venv", or "" where there was none."""
    try:
        name = (store / LAST).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
    return name if name in ("docker", "venv") else ""


def remember(store: Path, name: str) -> None:
    """Note what a build used; a store that cannot be written stays as it is."""
    if last_used(store) != name:
        with contextlib.suppress(OSError):
            write_atomically(store / LAST, name + "\n")
