"""Removes from a store what nobody needs, while others build: garbage.py decides, this does.

Whatever may go is first claimed, all of it: a process that uses one of these things has a share in it until it ends,
so nobody does, and nobody can begin to. Then the store is looked at once more, because a build that ended between the
first look and the claim may have given one of them a name. What may still go is renamed away, each in one step, and
given back; only then bytes are deleted. So a build that starts meanwhile finds a result whole, or not at all; and after
kill -9 at any instant there is nothing but a folder in work/, which the next command removes.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bertbuild.files.locking import if_free, remove_lock
from bertbuild.store.garbage import Keep, Snapshot, Thing, removable
from bertbuild.store.store import Store, remove_tree, translated_os_errors
from bertbuild.store.survey import BESIDE, FETCHED, survey, zip_lock


def sweep(
    store: Store,
    keep: Keep,
    first: Snapshot,
    now: float,
    *,
    on_progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> list[Thing]:
    """Remove what may go; gives what is gone.

    Args:
        store: the store.
        keep: what is to be kept.
        first: what lies in it.
        now: Unix seconds.
        on_progress: gets the bytes deleted and to be deleted.
        warn: gets a sentence about each thing that should go and could not be removed.
    """
    wanted = removable(first, keep, now)
    if not wanted:
        return []
    token = secrets.token_hex(4)
    with store.lock("gc", token, on_wait=warn) as work, translated_os_errors(store.root):
        with contextlib.ExitStack() as held:
            claimed = {thing.path for thing in wanted if held.enter_context(store.uses.claimed(thing.path))}
            still = [thing for thing in removable(survey(store), keep, now) if thing.path in claimed]
            taken = list(_taken(store, still, work / "out", warn))
        _delete(taken, on_progress, warn)
    remove_lock(store.lock_path(f"gc-{token}"))
    return [thing for thing, _ in taken]


def _taken(
    store: Store, things: Sequence[Thing], room: Path, warn: Callable[[str], None]
) -> Iterator[tuple[Thing, Path]]:
    """What could be renamed away, and where to; what another process has the lock of stays."""
    for number, thing in enumerate(things):
        path = store.root / thing.path
        # Downloads may lie on a disk of their own.
        beside = path.with_name(f"{BESIDE}{room.parent.name}-{path.name}")
        place = beside if thing.path.split("/")[0] in FETCHED else room / str(number)
        lock = path if thing.kind == "lock" else _lock_of(store, thing)
        try:
            with contextlib.nullcontext(True) if lock is None else if_free(lock) as free:
                if free:
                    path.rename(place)
                    if lock not in (None, path):
                        lock.unlink()
                    if thing.kind == "name":
                        store.names.forget(path.parent.name, path.name)
                    yield thing, place
        except FileNotFoundError:
            continue  # somebody else was quicker
        except OSError as error:
            warn(f"{path} could not be removed: {error.strerror}")


def _lock_of(store: Store, thing: Thing) -> Path | None:
    """The lock that a builder, or a fetcher, of this would hold."""
    path = store.root / thing.path
    match thing.kind:
        case "object" | "unfinished":
            return store.lock_path(f"{path.parent.name}-{path.name}")
        case "work" if path.parent == store.work:
            return store.lock_path(path.name)
        case "work" if path.parent.name == ".work":
            return path.parent.parent / ".locks" / f"{path.name}.lock"
        case "download" if ".zips" in path.parts:
            return zip_lock(path)
    return None


def _delete(
    taken: Sequence[tuple[Thing, Path]], on_progress: Callable[[int, int], None], warn: Callable[[str], None]
) -> None:
    done, total = 0, sum(thing.size for thing, _ in taken)
    for thing, place in taken:
        try:
            if place.is_dir() and not place.is_symlink():
                remove_tree(place)
            else:
                place.unlink()
        except OSError as error:
            warn(f"{thing.path} could not be removed: {error.strerror}; the rest of it lies in {place}")
        done += thing.size
        on_progress(done, total)
