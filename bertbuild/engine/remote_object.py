"""A result that only the remote store has: what it is is known, and its files come when they are needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.errors import StageError
from bertbuild.store.store import StoredObject

if TYPE_CHECKING:
    from bertbuild.remote.statement import Statement

ALL, TARGETS, NONE = "all", "targets", "none"
"""Which results a build brings here: every one, targets alone, or none that it does not read."""


class RemoteObject(StoredObject):
    """A result that the remote store has: its manifest is known, and its files come when its path is asked for."""

    __slots__ = ("_bring", "_here", "_lock", "place")
    _bring: Callable[[], StoredObject]
    _here: StoredObject | None
    _lock: threading.Lock
    place: Path

    def __init__(self, statement: Statement, place: Path, bring: Callable[[], StoredObject]) -> None:
        """`place`: where it will be; `bring` makes it be there."""
        for name in ("stage", "key", "manifest"):
            object.__setattr__(self, name, getattr(statement, name))
        for name, value in (("_bring", bring), ("_here", None), ("_lock", threading.Lock()), ("place", place)):
            object.__setattr__(self, name, value)

    @property
    def path(self) -> Path:
        """Its folder, which is brought now where it is not there.

        Raises:
            StageError: it could not be brought, and was made again, and is another one.
        """
        return self.here().path

    def here(self) -> StoredObject:
        """The same in this store.

        Raises:
            StageError: as `path`.
        """
        with self._lock:
            if self._here is None:
                found = self._bring()
                if found.digest != self.digest:
                    raise StageError(
                        f"{self.stage} {self.key[:12]} could not be had from the remote store, and made again it is "
                        "another one.",
                        next_step="Run the same command again: it goes on from what was made here.",
                    )
                object.__setattr__(self, "_here", found)
                return found
            return self._here
