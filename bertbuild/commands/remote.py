"""remote: what a remote store has of what is built here; results put there, and removed; keys that sign."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild.commands.forecast import looking
from bertbuild.commands.result import Result
from bertbuild.commands.selection import add_all, add_named, built, find
from bertbuild.commands.session import Session
from bertbuild.engine.gate import PARITY
from bertbuild.engine.staleness import ENVIRONMENT, REMOTE, UP_TO_DATE
from bertbuild.errors import NotReproducibleError, UsageError
from bertbuild.plural import number_of
from bertbuild.remote.bringing import bring
from bertbuild.remote.images import images_among, names_here
from bertbuild.remote.protocols import LOST, OTHER, PUSHED, PushResult, parts_of, result_name
from bertbuild.remote.results import Results
from bertbuild.remote.signing import generate
from bertbuild.remote.statement import Statement
from bertbuild.store.garbage import DEFAULT_KEEP, TARGETS, parse_keep
from bertbuild.store.records import Record, read_records
from bertbuild.store.store import Store, StoredObject

KEY_FILE = "bertbuild-remote.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated(Result):
    """A new key: the file of the private one, and the public one as `trust` has it."""

    key: Path
    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStatus(Result):
    """What a remote store has of targets that are built here.

    Attributes:
        address: of the remote store.
        targets: of each target its model and name, how many results it is made of, how many of these are there, and
            why others that are there are not used.
    """

    address: str
    targets: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed(Result):
    """What became of results that were to be put into a remote store; with `dry_run`, what would.

    Attributes:
        address: of the remote store.
        dry_run: whether nothing was sent.
        results: of each result its name, state, bytes sent, bytes that were there, and what differs.
    """

    address: str
    dry_run: bool
    results: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled(Result):
    """What was brought from a remote store; with `dry_run`, what would be.

    Attributes:
        address: of the remote store.
        dry_run: whether nothing was brought.
        results: their names.
        lacking: how many steps a build would still run.
    """

    address: str
    dry_run: bool
    results: tuple[str, ...]
    lacking: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSwept(Result):
    """What was removed from a remote store, or would be.

    Attributes:
        address: of the remote store.
        dry_run: whether nothing was removed.
        removed: names of results.
        kept: how many stay.
        freed: bytes; null where the place frees them itself, later.
    """

    address: str
    dry_run: bool
    removed: tuple[str, ...]
    kept: int
    freed: int | None


def keygen(session: Session, key: str) -> Generated:
    """Make a key that signs what is put into a remote store.

    Raises:
        UsageError: there is such a file.
        RemoteError: the extra is not installed.
    """
    path = Path(key or KEY_FILE).expanduser()
    public = generate(path)
    return session.result(
        Generated(key=path, public=public),
        f"{path} is the private key: keep it from all machines that must not be trusted",
        f'[remote] key = "{path}", or BERTBUILD_REMOTE_KEY, on the machine that writes',
        f'[remote] trust = ["{public}"], or BERTBUILD_REMOTE_TRUST, on all that read',
    )


def status(session: Session, names: Sequence[str]) -> RemoteStatus:
    """Say of targets that are built here which of their results the remote store has, and would be used.

    Raises:
        UsageError: there is no remote store, nothing is built, or a name is nothing's.
        RemoteError: it does not answer.
    """
    remote = required(session)
    records = built(session.store, names)
    known = remote.look(result_name(*result) for record in records for result in record.results.values())
    rows = tuple(_of_target(record, known) for record in records)
    shown = [
        [row["model"], row["target"], f"{row['there']} of {row['results']}", "; ".join(row["unused"]) or "–"]
        for row in rows
    ]
    columns = ["model", "target", "results there", "there and not used"]
    session.report({"event": "table", "title": remote.address, "columns": columns, "rows": shown})
    whole = sum(row["there"] == row["results"] for row in rows)
    return session.result(
        RemoteStatus(address=remote.address, targets=rows),
        f"{remote.address} has all results of {whole} of {number_of(len(rows), 'target')}",
    )


def _of_target(record: Record, known: Mapping[str, Statement | str]) -> dict[str, Any]:
    results = dict.fromkeys(result_name(*result) for result in record.results.values())
    unused = dict.fromkeys(why for name in results if isinstance(why := known.get(name), str))
    there = sum(isinstance(known.get(name), Statement) for name in results)
    return {
        "model": record.model,
        "target": record.target.name,
        "results": len(results),
        "there": there,
        "unused": list(unused),
    }


def push(session: Session, names: Sequence[str], *, dry_run: bool) -> Pushed:
    """Put all results of targets that are built here into the remote store, as far as it lacks them.

    Raises:
        UsageError: there is no remote store, nothing is built, or a name is nothing's.
        RemoteError: it does not answer, or no key is named.
        NotReproducibleError: it has other results under the same keys, which differ as two runs must not.
    """
    remote = required(session)
    stored = list(_results(session.store, built(session.store, names)))
    if dry_run:
        there = remote.has(result_name(one.stage, one.key) for one in stored)
        results = [
            PushResult(name=name, state="there" if name in there else "would be sent")
            for name in (result_name(one.stage, one.key) for one in stored)
        ]
    else:
        results = [remote.push(one, session.bar("sending", one.stage)) for one in stored]
    rows = tuple(
        {"name": one.name, "state": one.state, "sent": one.sent, "had": one.had, "differences": list(one.differences)}
        for one in results
    )
    different = [one for one in results if one.state in (OTHER, LOST) and one.differences]
    if different:
        raise NotReproducibleError(
            f"{number_of(len(different), 'result')} of the remote store {remote.address} differ from what was made "
            "here under the same key.",
            next_step="Run `build --verify-reproducible` to see which machine makes the same twice.",
            details="\n".join(line for one in different for line in one.differences),
        )
    new = [one for one in results if one.state in (PUSHED, "would be sent")]
    sent = sum(one.sent for one in results)
    what = f"{number_of(len(new), 'result')} would be sent" if dry_run else f"{number_of(len(new), 'result')} sent"
    return session.result(
        Pushed(address=remote.address, dry_run=dry_run, results=rows),
        f"{what}{'' if dry_run else f', {sent / 1e6:.1f} MB'}; {len(results) - len(new)} were there: {remote.address}",
    )


def pull(session: Session, names: Sequence[str], file: str, *, dry_run: bool) -> Pulled:
    """Bring all results of targets that the remote store has, so that a build of them runs nothing, offline too.

    Raises:
        UsageError: there is no remote store, or a name is nothing's.
        RemoteError: it does not answer.
    """
    remote = required(session)
    build_file = find(session, file)
    with looking(session) as forecast:
        if names:
            add_named(session, forecast, build_file, names)
        else:
            add_all(session, forecast, build_file)
        checks = forecast.checks(forecast.jobs(forecast.targets))
    store = session.store
    wanted = [
        (check.stage, check.key)
        for check in checks
        if check.key and check.state in (REMOTE, UP_TO_DATE) and not (store.objects / check.stage / check.key).exists()
    ]
    wanted = list(dict.fromkeys(wanted))
    if not dry_run:
        for stage, key in wanted:
            bring(remote, store, stage, key, on_wait=_note(session), progress=session.bar("fetching", stage))
    lacking = sum(check.state not in (REMOTE, UP_TO_DATE) for check in checks if check.kind != ENVIRONMENT)
    rest = f"; {number_of(lacking, 'step')} would run: it has no results of theirs to be used" if lacking else ""
    few = number_of(len(wanted), "result")
    return session.result(
        Pulled(
            address=remote.address,
            dry_run=dry_run,
            results=tuple(result_name(*one) for one in wanted),
            lacking=lacking,
        ),
        f"{few} {'would be brought' if dry_run else 'brought'} from {remote.address}{rest}",
    )


def _note(session: Session) -> Callable[[str], None]:
    return lambda text: session.report({"event": "note", "text": text})


def _results(store: Store, records: Iterable[Record]) -> Iterator[StoredObject]:
    """The results of targets and the verdicts on them, each once; what is damaged is no result."""
    wanted = dict.fromkeys(result for record in records for result in record.results.values())
    found = [stored for result in wanted if (stored := store.find(*result)) is not None]
    digests = {stored.digest for stored in found}
    yield from found
    for path in sorted((store.objects / PARITY).glob("*")):
        verdict = store.find(PARITY, path.name)
        if verdict is not None and verdict.manifest["components"]["inputs"].get("target") in digests:
            yield verdict


def gc(session: Session, keep: str, *, dry_run: bool) -> RemoteSwept:
    """Remove results of a remote store that no target here needs and that were made long ago; images likewise.

    Raises:
        UsageError: there is no remote store, or `keep` is invalid or counts runs.
        RemoteError: it does not answer, or does not let anything be removed.
    """
    remote = required(session)
    wanted = parse_keep(keep or DEFAULT_KEEP)
    if wanted.runs is not None:
        raise UsageError(
            f"A remote store knows no runs, and --keep {keep} counts them.",
            next_step=f"Give a time (30d, 4w), or {TARGETS} for what targets here need alone.",
        )
    needed = {result_name(*result) for record in read_records(session.store) for result in record.results.values()}
    there = list(remote.transport.names())
    signed = images_among(there)
    needed |= names_here() if signed else set()
    names = [name for name in there if parts_of(name) or name in signed]
    times = remote.times(names)
    since = time.time() - (wanted.seconds or 0)
    removed = [name for name in names if name not in needed and times[name] < since]
    freed: int | None = 0
    if not dry_run:
        for name in removed:
            remote.transport.remove(name)
            if name in signed:
                remote.transport.remove(signed[name])
        freed = remote.collect()
    few = number_of(len(removed), "result")
    told = f"{few} would be removed" if dry_run else f"{few} removed"
    blobs = "" if dry_run else ", and their files with the registry's own collection" if freed is None else ""
    return session.result(
        RemoteSwept(
            address=remote.address,
            dry_run=dry_run,
            removed=tuple(removed),
            kept=len(names) - len(removed),
            freed=freed,
        ),
        f"{told}{blobs}; {len(names) - len(removed)} kept: {remote.address}",
    )


def required(session: Session) -> Results:
    """The remote store.

    Raises:
        UsageError: none is named.
    """
    if session.remote is None:
        raise UsageError(
            "There is no remote store.", next_step="Name one: [remote] url in bertbuild.toml, or BERTBUILD_REMOTE."
        )
    return session.remote
