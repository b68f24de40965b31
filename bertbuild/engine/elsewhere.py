"""What the remote store has of a run's results: looked up before stages run, brought when their files are needed.

A remote store that fails in any way is left alone from then on, which is said once; the run goes on by itself.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bertbuild.errors import RemoteError, UntrustedError
from bertbuild.files.disk import write_atomically
from bertbuild.json_text import parse_json
from bertbuild.plural import number_of
from bertbuild.remote.bringing import bring_into
from bertbuild.remote.protocols import LOST, OTHER, Remote, result_name
from bertbuild.remote.statement import Statement
from bertbuild.store.store import Store, StoredObject, remove_tree


class Elsewhere:
    """A remote store, as a run uses it. Several threads may ask."""

    def __init__(
        self,
        remote: Remote,
        store: Store,
        report: Callable[[Mapping[str, Any]], None],
        *,
        reads: bool,
        writes: bool,
        fetch: str,
        trusted: Iterable[str] = (),
    ) -> None:
        """`fetch`: one of `config.FETCH`; `trusted`: the keys whose statements of earlier runs still count."""
        self.fetch, self.address = fetch, remote.address
        self._remote, self._store, self._report = remote, store, report
        self._reads, self._writes, self._trusted = reads, writes, frozenset(trusted)
        self._known: dict[str, Statement | None] = {}
        self._lock = threading.Lock()

    def asked(self, stage: str, key: str) -> bool:
        """Whether it is known if the remote store has a result, without asking it."""
        name = result_name(stage, key)
        if not self._reads or name in self._known:
            return True
        remembered = self._remembered(stage, key)
        if remembered is not None:
            self._known[name] = remembered
        return remembered is not None

    def statement(self, stage: str, key: str) -> Statement | None:
        """The statement of a result that was asked for; None where the remote store has none to be used."""
        return self._known.get(result_name(stage, key)) if self._reads else None

    def ask(self, results: Iterable[tuple[str, str]]) -> None:
        """Look up results (stage, key), all at once."""
        names = [result_name(*result) for result in results]
        names = [name for name in dict.fromkeys(names) if name not in self._known]
        if not names or not self._reads:
            return
        try:
            found = self._remote.look(names)
        except RemoteError as error:
            self._stop_reading(error)
            return
        self._known.update(
            (name, statement if isinstance(statement := found.get(name), Statement) else None) for name in names
        )
        refused: dict[str, list[str]] = {}
        for name, why in found.items():
            if isinstance(why, str):
                refused.setdefault(why, []).append(name)
        for why, which in refused.items():
            self._warn(f"{number_of(len(which), 'result')} of {self.address} not used: {why} ({which[0][:40]}…)")

    def ask_again(self, stage: str, key: str) -> None:
        """Look up a result that has been put there since it was asked for."""
        self._known.pop(result_name(stage, key), None)
        self.ask([(stage, key)])

    def keep(self, statement: Statement) -> None:
        """Remember a statement for the next run, which then need not ask."""
        path, manifest = self._store.elsewhere(statement.stage, statement.key), statement.manifest
        value = {
            "signer": statement.signer,
            "payload": statement.payload.decode(),
            "sizes": dict(statement.sizes),
            "address": self.address,
            **{name: manifest[name] for name in ("digest", "components")},  # by which `gc` knows what needs it
        }
        self._store.use(path)
        with contextlib.suppress(OSError):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, json.dumps(value))

    def is_kept(self, stage: str, key: str) -> bool:
        """Whether an earlier run used it, and knew it to be in the remote store alone."""
        return self._store.elsewhere(stage, key).exists()

    def bring(self, stage: str, key: str, work: Path, told: Mapping[str, str]) -> StoredObject | None:
        """Bring a result into the store, for the holder of its lock; None where that cannot be."""
        if not self.asked(stage, key):
            self.ask([(stage, key)])
        if self.statement(stage, key) is None:
            return None
        try:
            found = bring_into(self._remote, self._store, stage, key, work, self._bar("fetching", stage, told))
        except UntrustedError as error:
            self._known[result_name(stage, key)] = None
            self._warn(str(error))
        except RemoteError as error:
            self._stop_reading(error)
        else:
            self._store.elsewhere(stage, key).unlink(missing_ok=True)
            return found
        self._store.elsewhere(stage, key).unlink(missing_ok=True)
        remove_tree(work / "out")
        (work / "out").mkdir()
        return None

    def push(self, stored: StoredObject, told: Mapping[str, str]) -> None:
        """Put a result there that was just made, where that is wanted."""
        if not self._writes:
            return
        try:
            result = self._remote.push(stored, self._bar("sending", stored.stage, told))
        except RemoteError as error:
            with self._lock:
                first, self._writes = self._writes, False
            if first:
                self._warn(f"{error} Nothing more is put into the remote store; the build goes on{_step(error)}")
            return
        if result.state == LOST:
            self._warn(
                f"{result.name[:40]}… was put into {self.address} by another writer at the same time: theirs stays"
            )
        if result.state in (OTHER, LOST) and result.differences:
            lines = "; ".join(result.differences)
            self._warn(f"not reproducible: {self.address} has another result under the same key, which stays: {lines}")

    def _stop_reading(self, error: RemoteError) -> None:
        with self._lock:
            first, self._reads = self._reads, False
        if first:
            self._warn(f"{error} It is asked no more; the build goes on without it{_step(error)}")

    def _remembered(self, stage: str, key: str) -> Statement | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            path = self._store.elsewhere(stage, key)
            self._store.use(path)
            value = parse_json(path.read_bytes())
            if value["signer"] in self._trusted and value["address"] == self.address:
                payload = value["payload"].encode()
                found = Statement(stage=stage, key=key, payload=payload, signer=value["signer"], sizes=value["sizes"])
                return found if (found.made.stage, found.made.key) == (stage, key) else None
        return None

    def _warn(self, text: str) -> None:
        self._report({"event": "warning", "text": text})

    def _bar(self, name: str, stage: str, told: Mapping[str, str]) -> Callable[[int, int], None]:
        """Report bytes done and in all, once for each hundredth."""
        last = -1
        facts = {key: value for key, value in told.items() if key in ("job", "model")}

        def report(done: int, total: int) -> None:
            nonlocal last
            now = 100 * done // max(1, total)
            if now > last:
                last = now
                event = {"event": "progress", "name": name, "done": done, "total": total, "stage": stage}
                self._report({**event, **facts})

        return report


def _step(error: RemoteError) -> str:
    """What mends it, such as a login, as the end of a warning."""
    return f". {error.next_step}" if error.next_step else ""
