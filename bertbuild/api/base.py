"""How a command is called from Python: a session around it, events to a listener."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bertbuild.api.named import Path, check_path
from bertbuild.errors import UsageError

if TYPE_CHECKING:
    from bertbuild.commands.session import Session

Listener = Callable[[Mapping[str, Any]], None]
"""Gets the events that `--json` writes, one at a time, as docs/reference.md describes them; from any thread."""


class Base:
    """Settings and a listener; its subclasses have the commands."""

    def __init__(
        self,
        *,
        artifacts: Path | None = None,
        isolation: str | None = None,
        offline: bool | None = None,
        jobs: int | None = None,
        memory: str | None = None,
        mirror: str | None = None,
        local: Path | None = None,
        fetch: str | None = None,
        scheduler: str | None = None,
        listener: Listener | None = None,
    ) -> None:
        if listener is not None and not callable(listener):
            raise UsageError("listener must be a function of one event.", next_step="For instance listener=print.")
        # Where they are now, wherever the program goes later.
        artifacts, local = _absolute("artifacts", artifacts), _absolute("local", local)
        told = {"artifacts": artifacts, "isolation": isolation, "jobs": jobs, "memory": memory}
        told |= {"mirror": mirror, "local": local, "fetch": fetch, "scheduler": scheduler}
        told |= {"offline": offline if offline is None else str(offline).lower()}
        self._flags = {name: str(value) for name, value in told.items() if value is not None}
        self._listener = listener

    @contextlib.contextmanager
    def _session(self, *, build_file: Path = "", replace: bool = False, reference: str = "") -> Iterator[Session]:
        from bertbuild.commands.opening import opened

        shown = _Shown(self._listener)
        with opened(shown, self._flags, build_file=str(build_file), replace=replace, reference=reference) as session:
            yield session


def _absolute(argument: str, path: Path | None) -> str | None:
    return None if path is None else os.path.abspath(check_path(argument, path))  # noqa: PTH100 - keeps links


class _Shown:
    """A listener as a reporter."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Pass the event on."""
        if self._listener is not None:
            self._listener(event)

    def close(self) -> None:
        """Nothing is open."""
