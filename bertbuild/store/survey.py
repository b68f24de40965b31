"""All that lies in a store, as plain data for garbage.py. Nothing is written, and nobody is kept waiting."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from bertbuild.files.disk import HOUR
from bertbuild.files.locking import is_held
from bertbuild.json_text import parse_json
from bertbuild.keys import digest
from bertbuild.plans.plan import File
from bertbuild.stages import MANIFEST, PROVENANCE, STAGES
from bertbuild.store import records as recorded
from bertbuild.store.garbage import Name, Object, Record, Run, Snapshot, Thing
from bertbuild.store.past_runs import events_of, log_name, short
from bertbuild.store.store import IN_USE, Store, translated_os_errors

BESIDE = ".gone-"
"""How the name of a download begins that is being removed, where it lies."""

FETCHED = ("downloads", "datasets")
_SBOM = re.compile(r'"(sbom/[^"/]+)"')
T = TypeVar("T")
K = TypeVar("K", bound=Thing)
_PLAIN = {"damaged": "damaged", "report": "reports", "sbom": "sbom", "probes": "probes"}


def survey(store: Store) -> Snapshot:
    """Everything in a store that could ever go.

    Raises:
        StoreError: it cannot be read; or a record cannot be, so that nobody knows what its target needs.
    """
    with translated_os_errors(store.root):
        return _Survey(store).taken()


def left_over(store: Store) -> list[Thing]:
    """What killed commands left behind, which the next one removes."""
    with translated_os_errors(store.root):
        return [thing for thing in _Survey(store).left() if not thing.busy]


class _Survey:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._root = store.root
        self._held = {path.name: is_held(path) for path in _entries(self._root / "locks") if path.name != IN_USE}
        self._working = {short(*name.rsplit("-", 1)) for name, held in self._held.items() if held and "-" in name}

    def taken(self) -> Snapshot:
        root = self._root
        return Snapshot(
            records=tuple(_each(self._record, recorded.read_records(self._store))),
            names=tuple(_each(self._name, filter(self._is_name, sorted((root / "out").glob("*/*"))))),
            runs=tuple(_each(self._run, sorted((root / "runs").glob("*.jsonl")))),
            objects=(
                *_each(self._object, _folders(self._store.objects, 2)),
                *_each(self._note, sorted((root / "remote").glob("*/[!.]*.json"))),
            ),
            others=(
                *_each(self._result("unfinished"), _folders(root / "unfinished", 2)),
                *_each(self._log, _entries(self._store.logs)),
                *(thing for kind, name in _PLAIN.items() for thing in _each(self._thing(kind), _entries(root / name))),
                *(thing for name in FETCHED for thing in self._fetched(root / name)),
                *self.left(),
                *_each(self._lock, (root / "locks" / name for name in self._held)),
            ),
        )

    def left(self) -> Iterator[Thing]:
        """What was being made or removed when its process was killed."""
        yield from _each(self._abandoned, _entries(self._store.work))
        patterns = ("out/*/.*", "targets/*/.*", "probes/.*", "remote/*/.*")
        yield from self._old(_each(self._thing("work"), (path for name in patterns for path in self._root.glob(name))))
        for folder in (self._root / name for name in FETCHED):
            for path in _entries(folder / ".work"):
                yield from _each(self._guarded("work", folder / ".locks" / f"{path.name}.lock"), [path])
            beside = (*folder.glob(f"{BESIDE}*"), *(folder / ".unpacked").glob(f"{BESIDE}*"))
            yield from _each(self._thing("work"), beside)

    def _object(self, path: Path) -> Object:
        facts = self._result_facts("object", path) | {"used": path.stat().st_mtime}
        try:
            return _made_of(facts, path / MANIFEST, self._mentioned(path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Object(**facts)  # damaged: what it was made of is not known

    def _note(self, path: Path) -> Object:
        """A result that is in the remote store alone, as a build noted it; one that is here needs no note."""
        facts = self._facts("note", path) | {"result": short(path.parent.name, path.stem)}
        try:
            is_here = (self._store.objects / path.parent.name / path.stem).exists()
            return Object(**facts) if is_here else _made_of(facts, path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Object(**facts)

    def _mentioned(self, path: Path) -> frozenset[str]:
        """The bills of materials that a result's provenance names."""
        try:
            return frozenset(_SBOM.findall((path / PROVENANCE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return frozenset()

    def _record(self, record: recorded.Record) -> Record:
        path = self._root / "targets" / record.model / f"{record.target.name}.json"
        results = {step: self._below(self._place(*result)) for step, result in record.results.items()}
        files = [file for step in record.plan.steps for file in step.inputs.values() if isinstance(file, File)]
        real = self._root.resolve()
        return Record(
            **self._facts("record", path),
            name=f"out/{record.model}/{record.target.name}",
            target=results.get(record.target.step, ""),
            results=frozenset(results.values()),
            sources=frozenset(str(file.path.relative_to(real)) for file in files if file.path.is_relative_to(real)),
        )

    def _place(self, stage: str, key: str) -> Path:
        """Where a result is, or the note on it where it is in the remote store alone."""
        here, note = self._store.objects / stage / key, self._store.elsewhere(stage, key)
        return note if not here.exists() and note.exists() else here

    def _is_name(self, link: Path) -> bool:
        return link.is_symlink() and _pointed(link).is_relative_to(self._store.objects)

    def _name(self, link: Path) -> Name:
        return Name(**self._facts("name", link), target=self._below(_pointed(link)))

    def _run(self, path: Path) -> Run:
        facts, events = self._facts("run", path), events_of(path)
        facts["busy"] |= is_held(path)
        made = [event for event in events if event["event"] == "stage" and "stage" in event and "key" in event]
        began = events[0].get("time") if events else None
        return Run(
            **facts,
            began=float(facts["used"] if began is None else began),
            results=frozenset(short(event["stage"], event["key"]) for event in made),
        )

    def _log(self, path: Path) -> Thing:
        known = log_name(path)
        result = known[1] if known else ""
        facts = self._facts("log", path)
        return Thing(**facts | {"result": result, "busy": facts["busy"] or result in self._working})

    def _fetched(self, folder: Path) -> Iterator[Thing]:
        """What was downloaded, what is on its way, and their locks."""
        for path in (*_folders(folder, 1), *_folders(folder / ".unpacked", 1)):
            if not path.name.startswith("."):
                yield from _each(self._folder, [path])
        for path in sorted((folder / ".zips").rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                yield from _each(self._guarded("download", zip_lock(path)), [path])
        locks = [*(folder / ".zips").rglob("*.lock"), *folder.glob(".locks/*.lock"), *folder.glob(".unpacked/*.lock")]
        yield from _each(self._lock, sorted(locks))

    def _folder(self, path: Path) -> Thing:
        return Thing(**self._facts("download", path) | {"used": path.stat().st_mtime})

    def _abandoned(self, path: Path) -> Thing:
        return Thing(**self._facts("work", path) | {"busy": self._held.get(path.name, False)})

    @staticmethod
    def _old(things: Iterable[Thing]) -> Iterator[Thing]:
        """Files that were to be renamed; an hour old, because one just written is about to be."""
        return (thing for thing in things if time.time() - thing.used > HOUR)

    def _lock(self, path: Path) -> Thing:
        return Thing(**self._facts("lock", path) | {"busy": is_held(path)})

    def _guarded(self, kind: str, lock: Path) -> Callable[[Path], Thing]:
        return lambda path: Thing(**self._facts(kind, path) | {"busy": is_held(lock)})

    def _result(self, kind: str) -> Callable[[Path], Thing]:
        return lambda path: Thing(**self._result_facts(kind, path))

    def _thing(self, kind: str) -> Callable[[Path], Thing]:
        return lambda path: Thing(**self._facts(kind, path))

    def _result_facts(self, kind: str, path: Path) -> dict[str, Any]:
        result = short(path.parent.name, path.name)
        facts = self._facts(kind, path)
        return facts | {"result": result, "busy": facts["busy"] or result in self._working}

    def _facts(self, kind: str, path: Path) -> dict[str, Any]:
        used, size = _newest_and_size(path)
        name = self._below(path)
        return {"kind": kind, "path": name, "used": used, "size": size, "busy": self._store.uses.elsewhere(name)}

    def _below(self, path: Path) -> str:
        return str(path.relative_to(self._root))


def _made_of(facts: dict[str, Any], file: Path, mentions: frozenset[str] = frozenset()) -> Object:
    """A result whose manifest, or what is noted of it, is in a file."""
    manifest = parse_json(file.read_text(encoding="utf-8"))
    parts = manifest["components"]
    about = {name: parts[name] for name in ("stage", "params", "inputs")}
    return Object(
        **facts,
        digest=str(manifest["digest"]),
        inputs=frozenset(map(str, parts["inputs"].values())),
        # What no backend made, the host worked out: a verdict, an inspection.
        judges="" if parts["stage"] in STAGES else digest(about),
        mentions=mentions,
    )


def _each(look: Callable[[T], K], there: Iterable[T]) -> Iterator[K]:
    """A look at each; what another process has removed meanwhile is left out."""
    for item in there:
        with contextlib.suppress(FileNotFoundError):
            yield look(item)


def _pointed(link: Path) -> Path:
    return Path(os.path.normpath(link.parent / link.readlink()))


def zip_lock(path: Path) -> Path:
    """The lock of a download: that of the zip, for its unfinished bytes and what goes with them too."""
    name = path.name
    for suffix in (".json", ".part", ".bad"):
        name = name.removesuffix(suffix)
    return path.with_name(f"{name}.lock")


def _newest_and_size(path: Path) -> tuple[float, int]:
    """When anything in a file or folder changed last, and how many bytes it holds; links are not followed."""
    status = path.lstat()
    newest, size = status.st_mtime, 0 if path.is_dir() and not path.is_symlink() else status.st_size
    if path.is_symlink() or not path.is_dir():
        return newest, size
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            status = (Path(folder) / name).lstat()
            newest = max(newest, status.st_mtime)
            size += status.st_size if name in files else 0
    return newest, size


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _folders(folder: Path, depth: int) -> list[Path]:
    return [path for path in sorted(folder.glob("/".join("*" * depth))) if path.is_dir() and not path.is_symlink()]
