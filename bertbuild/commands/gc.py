"""gc and verify-store: what a store need not hold, and whether what it holds is as it was published."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.errors import StoreError
from bertbuild.plural import number_of
from bertbuild.store.audit import LEFT_OVER, Problem, audit
from bertbuild.store.garbage import DEFAULT_KEEP, Keep, Snapshot, Thing, parse_keep, removable
from bertbuild.store.store import Store
from bertbuild.store.survey import survey
from bertbuild.store.sweep import sweep

_KINDS = {
    "object": "results",
    "note": "notes on results in the remote store",
    "unfinished": "unfinished training",
    "damaged": "damaged results",
    "download": "downloads",
    "work": "leftovers of killed commands",
    "record": "records of targets",
    "name": "names in out/",
    "probes": "probe inputs",
    "log": "logs",
    "run": "logs of runs",
    "report": "reports",
    "sbom": "bills of materials",
    "lock": "lock files",
}
_SINGLE = {"object": "result", "note": "note", "work": "leftover", "damaged": "damaged result"}
_LISTED = ("object", "unfinished", "damaged", "download", "work", "record", "name")
"""Kinds of which a dry run names every thing; the others are small and many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept(Result):
    """What went, or would go.

    Attributes:
        dry_run: whether nothing was removed.
        keep: what was to stay.
        freed: bytes.
        removed: for each thing its category, path, stage, key, time of last use (seconds since 1970) and bytes.
        skipped: how many more could not be had.
        categories: for each category how many things went and stayed, and their bytes.
    """

    dry_run: bool
    keep: str
    freed: int
    removed: tuple[Mapping[str, Any], ...]
    skipped: int
    categories: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited(Result):
    """What was read again: results, files, bytes, in how many seconds; and what is wrong, which is leftovers alone."""

    objects: int
    files: int
    bytes: int
    seconds: float
    problems: tuple[Problem, ...]


def gc(session: Session, keep: str, *, dry_run: bool) -> Swept:
    """Remove what no named target needs and nobody used lately; or only say what that is.

    Raises:
        UsageError: `keep` is invalid.
        StoreError: the store cannot be read, or a record in it cannot be.
    """
    wanted = parse_keep(keep or DEFAULT_KEEP)
    told = "" if keep else f" (the default; --keep {DEFAULT_KEEP})"
    session.report({"event": "note", "text": f"kept: {wanted}{told}"})
    store = Store(session.settings.artifacts, tidy=False)
    now = time.time()
    there = survey(store)
    planned = removable(there, wanted, now)
    gone: Sequence[Thing] = planned if dry_run else _removed(session, store, wanted, there, now)
    if dry_run:
        _list(session, gone, now)
    _sum_up(session, there, gone, dry_run=dry_run)
    skipped = len(planned) - len(gone)
    lines = [_outcome(wanted, there, gone, dry_run=dry_run)]
    if skipped > 0:
        lines.append(f"{skipped} more could not be removed: in use in the meantime, or without permission")
    return session.result(
        Swept(
            dry_run=dry_run,
            keep=str(keep or DEFAULT_KEEP),
            freed=sum(thing.size for thing in gone),
            removed=tuple(_fact(thing) for thing in gone),
            skipped=max(0, skipped),
            categories=tuple(_categories(there, gone)),
        ),
        *lines,
    )


def verify_store(session: Session) -> Audited:
    """Hash every byte of every result again, and hold names and records against what is there.

    Raises:
        StoreError: something is wrong.
    """
    store = Store(session.settings.artifacts, tidy=False)
    found = audit(store, session.bar("hashing", "verify-store"))
    store.digests.save()
    result = Audited(
        objects=found.objects,
        files=found.files,
        bytes=found.size,
        seconds=round(found.seconds, 3),
        problems=tuple(found.problems),
    )
    if found.problems:
        rows = [[item.problem, item.path, ", ".join(item.needed_by)] for item in found.problems]
        columns = ["problem", "where", "targets that need it"]
        title = f"what is wrong in {store.root}"
        session.report({"event": "table", "title": title, "columns": columns, "rows": rows})
    speed = found.size / 1e6 / found.seconds if found.seconds else 0.0
    read = (
        f"{number_of(found.objects, 'result')}, {number_of(found.files, 'file')}, {_size(found.size)} "
        f"read again, {speed:.0f} MB/s"
    )
    wrong = [item for item in found.problems if item.problem != LEFT_OVER]
    if wrong:
        session.report({"event": "audit", **result.facts()})
        raise StoreError(
            f"The store has {number_of(len(wrong), 'problem')}; {read}.",
            next_step="Build the targets concerned again: what is damaged is set aside and made again. "
            "Names and records of what is gone: invoke gc.",
        )
    end = "nothing is wrong" if not found.problems else "nothing is wrong; leftovers go with the next command"
    return session.result(result, f"{end}: {read}")


def _removed(session: Session, store: Store, keep: Keep, there: Snapshot, now: float) -> list[Thing]:
    return sweep(
        store,
        keep,
        there,
        now,
        on_progress=session.bar("deleting", "gc"),
        warn=lambda text: session.report({"event": "warning", "text": text}),
    )


def _list(session: Session, things: Iterable[Thing], now: float) -> None:
    listed = sorted((thing for thing in things if thing.kind in _LISTED), key=lambda thing: -thing.size)
    rows = [
        [_SINGLE.get(thing.kind, thing.kind), *_named(thing), _age(now - thing.used), _size(thing.size)]
        for thing in listed
    ]
    if rows:
        columns = ["what", "stage", "key", "last used", "size"]
        session.report({"event": "table", "title": "would be removed", "columns": columns, "rows": rows})


def _named(thing: Thing) -> list[str]:
    """Stage and key of a result; of anything else its path."""
    if thing.kind in ("object", "unfinished"):
        stage, _, key = thing.result.partition("/")
        return [stage, key]
    return [thing.path, ""]


def _sum_up(session: Session, there: Snapshot, gone: Sequence[Thing], *, dry_run: bool) -> None:
    rows = [
        [_KINDS[row["category"]], str(row["removed"]), _size(row["bytes"]), str(row["kept"]), _size(row["bytes_kept"])]
        for row in _categories(there, gone)
    ]
    if rows:
        columns = ["", "would go" if dry_run else "removed", "size", "kept", "size"]
        session.report({"event": "table", "title": "the store", "columns": columns, "rows": rows})


def _categories(there: Snapshot, gone: Sequence[Thing]) -> list[dict[str, Any]]:
    paths = {thing.path for thing in gone}
    rows = []
    for kind in _KINDS:
        removed = [thing for thing in gone if thing.kind == kind]
        kept = [thing for thing in there.things() if thing.kind == kind and thing.path not in paths]
        if removed or (kept and kind != "lock"):
            rows.append(
                {
                    "category": kind,
                    "removed": len(removed),
                    "bytes": sum(thing.size for thing in removed),
                    "kept": len(kept),
                    "bytes_kept": sum(thing.size for thing in kept),
                }
            )
    return rows


def _outcome(keep: Keep, there: Snapshot, gone: Sequence[Thing], *, dry_run: bool) -> str:
    freed = _size(sum(thing.size for thing in gone))
    if keep.runs is not None and len(there.runs) < keep.runs:
        known = f"; of {number_of(len(there.runs), 'run')} on record, nothing counts as old"
    else:
        known = ""
    if not gone:
        return f"nothing to remove{known}"
    return f"{freed} would be freed; nothing was removed{known}" if dry_run else f"{freed} freed{known}"


def _fact(thing: Thing) -> dict[str, Any]:
    stage, key = thing.path.split("/")[1:3] if thing.kind in ("object", "unfinished") else ("", "")
    return {
        "category": thing.kind,
        "path": thing.path,
        "stage": stage,
        "key": key,
        "used": round(thing.used, 3),
        "bytes": thing.size,
    }


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"


def _size(count: int) -> str:
    if count >= 1e9:
        return f"{count / 1e9:.2f} GB"
    if count >= 1e5:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e3:.1f} kB" if count >= 1e3 else f"{count} B"
