"""Two results of one key: what differs between ours and the one that a remote store has, and may not."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bertbuild.errors import BertbuildError
from bertbuild.gate.reproducibility import compare
from bertbuild.remote.protocols import Progress
from bertbuild.remote.statement import Statement
from bertbuild.stages import PROVENANCE
from bertbuild.store.store import StoredObject


class _Fetches(Protocol):
    def fetch(self, name: str, into: Path, progress: Progress | None = None) -> Statement:
        """See `Remote.fetch`."""


def against(remote: _Fetches, name: str, stored: StoredObject, theirs: Statement) -> tuple[str, ...]:
    """What `--verify-reproducible` would say of the two: nothing where they are as alike as two runs must be.

    Raises:
        RemoteError: theirs cannot be brought.
    """
    ours: Mapping[str, str] = {
        file: entry["sha256"] for file, entry in stored.manifest["files"].items() if file != PROVENANCE
    }
    if ours == theirs.files:
        return ()
    with tempfile.TemporaryDirectory(prefix="bertbuild-compared-") as folder:
        remote.fetch(name, Path(folder))
        try:
            found = compare(Path(folder), stored.path, stored.stage)
        except BertbuildError as error:
            return (f"{stored.stage}: the two cannot be compared: {error}",)
    return () if found.reproducible else tuple(found.lines())
