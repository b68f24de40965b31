"""What of a store may go. Pure: plain data in, plain data out; survey.py reads a store, sweep.py removes.

| kept                                                          | why                                    |
| ------------------------------------------------------------- | -------------------------------------- |
| what a name in out/ points at, and all results on its record  | it is a named target                   |
| what a living process uses                                    | it may need it until it ends           |
| what was used, or made by a run, recently enough              | --keep                                 |
| what any kept result was made of, by the digests of its inputs | so that nothing kept loses its origin  |
| the verdicts and inspections about what is kept               | they would only be worked out again    |
| the last log of each result that is kept                      | for `log`                              |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bertbuild.errors import UsageError
from bertbuild.files.disk import HOUR

DEFAULT_KEEP = "30d"
TARGETS = "targets"
_SECONDS = {"h": HOUR, "d": 24 * HOUR, "w": 7 * 24 * HOUR}
_WORDS = {"h": "hours", "d": "days", "w": "weeks"}

NAMED_BY_RUNS = frozenset({"object", "note", "unfinished", "log", "run"})
"""Kinds of which the log of a run tells which it used."""

GARBAGE = frozenset({"work", "lock"})
"""Kinds of which every thing that no process uses is left over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something in a store that goes as a whole.

    Attributes:
        kind: "object", "note", "unfinished", "damaged", "download", "probes", "record", "name", "run", "log", "report",
            "sbom", "work" or "lock".
        path: below the store.
        used: when it was used last, in Unix seconds.
        size: bytes.
        busy: whether a living process uses it.
        result: STAGE/KEY of the result that it is or belongs to, of the key the first 12 digits; or "".
    """

    kind: str
    path: str
    used: float
    size: int = 0
    busy: bool = False
    result: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Object(Thing):
    """A result; or a note on one that is in the remote store alone, which takes its place.

    Attributes:
        digest: of its content; "" where its manifest cannot be read, and of a note whose result is here.
        inputs: the digests of what it was made of.
        judges: for a verdict or an inspection, what it is about: the same for any two that only differ in the code
            that worked them out; else "".
        mentions: the paths of bills of materials that its provenance names.
    """

    digest: str = ""
    inputs: frozenset[str] = frozenset()
    judges: str = ""
    mentions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Thing):
    """A target's record.

    Attributes:
        name: the path of its name in out/.
        target: the path of the object it is about.
        results: the paths of all objects on it.
        sources: what its plan reads, as far as it lies in the store: paths of files or folders.
    """

    name: str
    target: str
    results: frozenset[str]
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Thing):
    """A name in out/, and the path of the object it points at."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Thing):
    """The log of a run: when it began (Unix seconds), and the results (as `Thing.result`) it made or found."""

    began: float
    results: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that lies in a store."""

    objects: tuple[Object, ...] = ()
    records: tuple[Record, ...] = ()
    names: tuple[Name, ...] = ()
    runs: tuple[Run, ...] = ()
    others: tuple[Thing, ...] = ()

    def things(self) -> tuple[Thing, ...]:
        """Every one of them."""
        return (*self.objects, *self.records, *self.names, *self.runs, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What is kept besides named targets: what was used in the last `seconds`, or in the last `runs`; or nothing."""

    seconds: int | None = None
    runs: int | None = None
    text: str = field(compare=False)

    def __str__(self) -> str:
        """In words, to follow "kept:"."""
        return self.text


def parse_keep(text: str) -> Keep:
    """The meaning of --keep.

    Raises:
        UsageError: it has none.
    """
    if text == TARGETS:
        return Keep(text="named targets, and nothing else")
    found = re.fullmatch(r"([1-9][0-9]{0,5})([hdw]?)", text.strip())
    if found is None:
        raise UsageError(
            f"--keep {text!r} is invalid.",
            next_step=f"Give a time (12h, 30d, 4w), a number of runs (3), or {TARGETS} for named targets alone.",
        )
    count, unit = int(found[1]), found[2]
    if unit:
        words = _WORDS[unit] if count > 1 else _WORDS[unit][:-1]
        return Keep(
            seconds=count * _SECONDS[unit], text=f"named targets, and what was used in the last {count} {words}"
        )
    words = f"{count} runs" if count > 1 else "run"
    return Keep(runs=count, text=f"named targets, and what was used in the last {words}")


def removable(store: Snapshot, keep: Keep, now: float) -> tuple[Thing, ...]:
    """What may go, in the order of `Snapshot.things`; what is left is whole, and nothing more of it may go."""
    recent = _recent(store, keep, now)
    objects = _kept_objects(store, recent)
    names = [name for name in store.names if name.busy or name.target in objects]
    named = {name.path for name in names if name.target in objects}
    records = [record for record in store.records if record.busy or record.target in objects or record.name in named]
    sources = {path for record in records for source in record.sources for path in _and_above(source)}
    sources = sources.union(*(item.mentions for item in store.objects if item.path in objects))
    kept: set[str] = objects | {thing.path for thing in (*names, *records)}
    kept |= {run.path for run in store.runs if recent(run)}
    kept |= _last_logs(store, {item.result for item in store.objects if item.path in objects})
    made_since = {f"unfinished/{item.path.removeprefix('objects/')}" for item in store.objects}
    for thing in store.others:
        left = thing.kind in GARBAGE or thing.path in made_since
        if thing.busy or (not left and (recent(thing) or thing.path in sources)):
            kept.add(thing.path)
    return tuple(thing for thing in store.things() if thing.path not in kept)


def _last_logs(store: Snapshot, results: set[str]) -> set[str]:
    logs = sorted((thing for thing in store.others if thing.kind == "log"), key=lambda log: log.path)
    return {path for result, path in {log.result: log.path for log in logs}.items() if result in results}


def _recent(store: Snapshot, keep: Keep, now: float) -> Callable[[Thing], bool]:
    """Whether something is in use, or was used recently enough. Uses are noted once an hour, so an hour is added."""
    if keep.seconds is not None:
        since = now - keep.seconds - HOUR
    elif keep.runs is None:
        since = float("inf")
    elif keep.runs > len(store.runs):
        since = float("-inf")  # of fewer runs than asked for, nothing is known that would be too old
    else:
        runs = sorted(store.runs, key=lambda run: run.path)[-keep.runs :]
        return _used_by(runs)
    return lambda thing: thing.busy or thing.used >= since


def _used_by(runs: list[Run]) -> Callable[[Thing], bool]:
    """Whether something is in use, or one of these runs used it: of results they tell, of all else their time does."""
    since = min(run.began for run in runs) - HOUR
    made = frozenset().union(*(run.results for run in runs))
    paths = {run.path for run in runs}

    def recent(thing: Thing) -> bool:
        told = thing.kind in NAMED_BY_RUNS
        return thing.busy or (thing.result in made or thing.path in paths if told else thing.used >= since)

    return recent


def _kept_objects(store: Snapshot, recent: Callable[[Thing], bool]) -> set[str]:
    there = {item.path: item for item in store.objects}
    named = [name for name in store.names if name.target in there]
    roots = {item.path for item in store.objects if recent(item)} | {name.target for name in named}
    names = {name.path for name in named}
    for record in store.records:
        if record.name in names or record.busy:
            # A model that was imported or trained is not a step of the plan over it, but what that plan reads.
            roots |= (record.results | record.sources) & there.keys()
    kept = _with_origins(store, roots)
    known = {there[path].digest for path in kept}.union(*(there[path].inputs for path in kept))
    judged = {there[path].judges for path in kept}
    about: dict[str, Object] = {}
    for item in store.objects:
        if item.judges and item.judges not in judged and item.inputs <= known:
            about[item.judges] = _later(item, about.get(item.judges))
    return kept | {item.path for item in about.values()}


def _with_origins(store: Snapshot, roots: set[str]) -> set[str]:
    """Objects and what they were made of. Of several with the content that is needed, one kept anyway will do."""
    latest: dict[str, Object] = {}
    for item in store.objects:
        if item.digest:
            latest[item.digest] = _later(item, latest.get(item.digest))
    there = {item.path: item for item in store.objects}
    kept = set(roots)
    have = {there[path].digest for path in kept}
    waiting = [there[path] for path in sorted(kept)]
    while waiting:
        for digest in sorted(waiting.pop().inputs - have):
            if digest in latest:
                have.add(digest)
                kept.add(latest[digest].path)
                waiting.append(latest[digest])
    return kept


def _later(one: Object, other: Object | None) -> Object:
    """The one used last; the same of two whatever their order."""
    return one if other is None else max(one, other, key=lambda item: (item.used, item.path))


def _and_above(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
