"""A result of a remote store brought into the store of this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bertbuild.remote.protocols import Progress, Remote, result_name
from bertbuild.store.store import Store, StoredObject


def bring(
    remote: Remote,
    store: Store,
    stage: str,
    key: str,
    *,
    on_wait: Callable[[str], None],
    progress: Progress | None = None,
) -> StoredObject:
    """The result under a key: this store's where it has it whole, else the remote store's, checked and published here.

    Args:
        remote: where it is looked for.
        store: where it will be.
        stage: what made it.
        key: its key.
        on_wait: is told when another process makes or brings it.
        progress: gets bytes done, and in all.

    Raises:
        UntrustedError: what the remote store has is not to be used.
        RemoteError: it does not have it, or does not answer.
        StoreError, NoSpaceError: it cannot be written here.
    """
    found = store.find(stage, key)
    if found is not None:
        return found
    with store.lock(stage, key, on_wait=on_wait) as work:
        found = store.find_or_set_aside(stage, key, on_damage=on_wait)
        return found or bring_into(remote, store, stage, key, work, progress)


def bring_into(
    remote: Remote, store: Store, stage: str, key: str, work: Path, progress: Progress | None = None
) -> StoredObject:
    """The same for the holder of the result's lock; `work` is the folder that `Store.lock` gave."""
    statement = remote.fetch(result_name(stage, key), work / "out", progress)
    return store.publish_fetched(stage, key, work, statement.manifest)
