"""What results workers have in their stores from earlier runs, so that stages go to those that have what they read."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bertbuild.cluster.orders import LARGEST, NAMED, Text, short_name

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

ANSWER_SECONDS = 1.0
"""How long an order waits for workers to tell, at most: it is of use, and not needed."""
FIRST = 10
"""Dask's priority of what only marks a worker: before all stages that wait there."""


class Holdings:
    """What each worker said it has; asked once of each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._asking: list[tuple[threading.Thread, float]] = []  # and until when each is waited for
        self._of: dict[str, frozenset[str]] = {}
        self._marks: dict[str, Future] = {}

    def ask(self, client: Client, addresses: Iterable[str]) -> None:
        """Ask the workers that were not asked yet, and wait for what is asked, by this order or by another one."""
        with self._lock:
            new = [address for address in addresses if address not in self._asked]
            if new:
                self._asked.update(new)
                thread = threading.Thread(target=self._told, args=(client, new), daemon=True)
                thread.start()
                self._asking.append((thread, time.monotonic() + ANSWER_SECONDS))
            asking = list(self._asking)
        for thread, until in asking:
            thread.join(max(0, until - time.monotonic()))  # a worker that is frozen never tells

    def _told(self, client: Client, addresses: list[str]) -> None:
        with contextlib.suppress(Exception):  # who tells nothing is not preferred
            told = client.run(held, workers=addresses, on_error="ignore")
            self._of.update({address: frozenset(names) for address, names in told.items()})

    def marks(self, client: Client, results: Iterable[tuple[str, str]]) -> list[Future]:
        """For each of these results (stage, key) that a worker has, something of Dask's that is there.

        Dask gives a stage to who has what it depends on. To name workers in the order itself will not do: those that
        may be left out (`allow_other_workers`) are left out together with the resources that the order asks for.
        """
        found = []
        for stage, key in results:
            name = short_name(stage, key)
            addresses = [address for address, names in dict(self._of).items() if name in names]
            with self._lock:
                if addresses and name not in self._marks:
                    self._marks[name] = client.submit(
                        mark,
                        workers=addresses,
                        allow_other_workers=True,
                        key=f"held-{name}",
                        priority=FIRST,
                        pure=False,
                    )
                if name in self._marks:
                    found.append(self._marks[name])
        return found


def held(dask_worker: Worker) -> list[str]:
    """What the worker that this runs in has; Dask gives it by this name."""
    ours: Any = dask_worker.plugins.get(NAMED)
    return ours.held() if ours is not None else []


def mark() -> Text:
    """Nothing, which Dask takes for as large as a result, so that it is not moved lightly."""
    return Text("", LARGEST)
