"""A whole store held against itself: every byte hashed, every name and record looked after. Nothing is changed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bertbuild.errors import StoreError
from bertbuild.store.opened import changed, manifests_of, misled
from bertbuild.store.records import Record, read_records
from bertbuild.store.store import Store, translated_os_errors
from bertbuild.store.survey import left_over

LEFT_OVER = "left over"
"""A killed command's folder: no harm, and gone with the next command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong: in words, where (below the store), and the targets that suffer."""

    problem: str
    path: str
    needed_by: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found, and what was read for it: objects, files, bytes, in how many seconds."""

    problems: tuple[Problem, ...]
    objects: int
    files: int
    size: int
    seconds: float


def audit(store: Store, on_progress: Callable[[int, int], None]) -> Audit:
    """Look at all of a store; `on_progress` gets the bytes hashed, and to be hashed.

    Raises:
        StoreError: the store cannot be read at all.
    """
    began = time.monotonic()
    with translated_os_errors(store.root):
        problems, records = _records(store)
        objects = sorted(path for path in store.objects.glob("*/*"))
        files, size = _hash(store, objects, on_progress)
        needed = _needed(store, records)
        damaged = [(path, store.problem(path)) for path in objects]
        problems += [
            Problem(problem=f"damaged: {problem}", path=_below(store, path), needed_by=needed.get(path, []))
            for path, problem in damaged
            if problem and path.exists()
        ]
        problems += _changed(store, records, needed)
        problems += [*_gone(store, records), *_names(store, records), *_left(store)]
    return Audit(
        problems=tuple(problems),
        objects=len(objects),
        files=files,
        size=size,
        seconds=time.monotonic() - began,
    )


def _hash(store: Store, objects: list[Path], on_progress: Callable[[int, int], None]) -> tuple[int, int]:
    """Read every file of the objects again, on all cores; gives how many, and their bytes."""
    files = [file for path in objects for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    store.digests.forget((*objects, *files))
    sizes: dict[Path, int] = {}
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # gc at the same time
            sizes[file] = file.stat().st_size
    total, done = sum(sizes.values()), 0

    def read(file: Path) -> int:
        with contextlib.suppress(OSError):  # what cannot be read is told when its object is looked at
            store.digests.of(file)
        return sizes[file]

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # The largest first, so that no core ends with one alone.
        for count in pool.map(read, sorted(sizes, key=lambda file: -sizes[file])):
            done += count
            on_progress(done, total)
    return len(sizes), total


def _records(store: Store) -> tuple[list[Problem], list[Record]]:
    """Records that cannot be read, and the others."""
    problems: list[Problem] = []
    records: list[Record] = []
    for path in sorted((store.root / "targets").glob("*/*.json")):
        name = f"{path.parent.name}/{path.stem}"
        unread = Problem(problem="a record that cannot be read", path=_below(store, path), needed_by=[name])
        problems.append(unread)
        with contextlib.suppress(StoreError):
            records += read_records(store, path.parent.name, path.stem)
            problems.remove(unread)
    return problems, records


def _needed(store: Store, records: list[Record]) -> dict[Path, list[str]]:
    """The named targets that each object is for."""
    found: dict[Path, list[str]] = {}
    for record in records:
        if _link(store, record).is_symlink():
            for stage, key in record.results.values():
                found.setdefault(store.objects / stage / key, []).append(_name(record))
    for link in sorted((store.root / "out").glob("*/*")):
        name = f"{link.parent.name}/{link.name}"
        there = Path(os.path.realpath(link))  # resolve() raises where a link leads to itself
        if link.is_symlink() and name not in found.setdefault(there, []):
            found[there].append(name)
    return found


def _gone(store: Store, records: list[Record]) -> Iterator[Problem]:
    """Records whose object is not there; of a named target, any object of its own or that it was made of."""
    for record in records:
        named = _link(store, record).is_symlink()
        wanted = record.results.items() if named else [(record.target.step, record.results[record.target.step])]
        missing = sorted({stage for _, (stage, key) in wanted if not _is_somewhere(store, stage, key)})
        if missing:
            path = store.root / "targets" / record.model / f"{record.target.name}.json"
            problem = f"on record, but not there: {', '.join(missing)}"
            yield Problem(problem=problem, path=_below(store, path), needed_by=[_name(record)] if named else [])


def _is_somewhere(store: Store, stage: str, key: str) -> bool:
    """Whether a result is here, or a build left it in the remote store."""
    return (store.objects / stage / key).exists() or store.elsewhere(stage, key).exists()


def _changed(store: Store, records: list[Record], needed: dict[Path, list[str]]) -> list[Problem]:
    """Results whose files and manifest fit one another, and not what is on record of them."""
    manifests = manifests_of(records)
    found = {path: problem for record in records for path, problem in changed(store, record, manifests)}
    return [
        Problem(problem=problem, path=_below(store, path), needed_by=needed.get(path, []))
        for path, problem in found.items()
    ]


def _names(store: Store, records: list[Record]) -> Iterator[Problem]:
    """Names in out/ that lead nowhere, or elsewhere than is on record of them."""
    told = {(item.model, item.target): item.problem for item in misled(store, records)}
    for link in sorted((store.root / "out").glob("*/*")):
        if link.is_symlink() and not os.path.exists(link):  # noqa: PTH110 - likewise
            name = f"{link.parent.name}/{link.name}"
            told.pop((link.parent.name, link.name), None)
            yield Problem(problem="a name that points nowhere", path=_below(store, link), needed_by=[name])
    for (model, target), problem in told.items():
        name = f"{model}/{target}".lstrip("/")
        yield Problem(problem=problem, path=f"out/{name}", needed_by=[name])


def _left(store: Store) -> Iterator[Problem]:
    for thing in left_over(store):
        yield Problem(problem=LEFT_OVER, path=thing.path, needed_by=[])
    for folder in sorted((store.root / "unfinished").glob("*/*")):
        if (store.objects / folder.parent.name / folder.name).exists():
            yield Problem(problem=LEFT_OVER, path=_below(store, folder), needed_by=[])


def _link(store: Store, record: Record) -> Path:
    return store.root / "out" / record.model / record.target.name


def _name(record: Record) -> str:
    return f"{record.model}/{record.target.name}"


def _below(store: Store, path: Path) -> str:
    return str(path.relative_to(store.root))
