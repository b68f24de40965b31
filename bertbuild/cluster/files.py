"""Files that a build was given, as a result of the remote store: workers see no other machine's disk."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bertbuild import keys
from bertbuild.cluster.orders import Given
from bertbuild.plans.plan import File
from bertbuild.provenance.statement import Input, statement
from bertbuild.remote.bringing import bring
from bertbuild.remote.protocols import result_name
from bertbuild.remote.results import Results
from bertbuild.stages import PROVENANCE
from bertbuild.store.store import Store, StoredObject, content_digest

FILED = "given"
"""What such a result is called in the place of a stage."""
BELOW = "files"
"""The folder in it that has the files, whatever they are called."""


def put(file: File, store: Store, remote: Results, run: str) -> Given:
    """Put a file or folder into the remote store, where it is not there; gives what is to be told of it.

    Raises:
        RemoteError: the remote store does not take it.
    """
    names = _names(file)
    name = "" if names else f"file{file.path.suffix}"  # what it ends with may tell a stage of what kind it is
    sources = {part: (file.path / part if names else file.path).resolve() for part in names or (name,)}
    # By the bytes themselves, since not every digest of an input is made of them.
    content = {part: store.digests.of(source) for part, source in sources.items()}
    parts = keys.components(stage=FILED, code="", environment={}, params={}, inputs={"file": keys.digest(content)})
    told = Given(stage=FILED, key=keys.digest(parts), digest=file.digest, files=names, name=name)
    if not remote.has([result_name(FILED, told.key)]):
        with tempfile.TemporaryDirectory(prefix="bertbuild-") as folder:
            remote.push(_stored(parts, sources, content, Path(folder), run))
    return told


def taken(told: Given, store: Store, remote: Results) -> File:
    """The file or folder, brought into this machine's store.

    Raises:
        UntrustedError: what is there is not to be used.
        RemoteError: it is not there.
    """
    stored = bring(remote, store, FILED, told.key, on_wait=_say_nothing)
    return File(path=stored.path / BELOW / told.name, digest=told.digest, files=told.files)


def _names(file: File) -> tuple[str, ...]:
    if file.files or not file.path.is_dir():
        return file.files
    return tuple(sorted(str(path.relative_to(file.path)) for path in file.path.rglob("*") if path.is_file()))


def _stored(
    parts: dict[str, Any], sources: Mapping[str, Path], content: Mapping[str, str], folder: Path, run: str
) -> StoredObject:
    """The files as a result that lies in no store: a folder of links to them."""
    now = time.time()
    files: dict[str, dict[str, Any]] = {}
    for name, source in sources.items():
        link = folder / BELOW / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
        files[f"{BELOW}/{name}"] = {"bytes": source.stat().st_size, "sha256": content[name]}
    said = statement(
        parts=parts,
        files=files,
        inputs=[Input(name="file", digest=parts["inputs"]["file"], files=content)],
        isolation="",
        environment=(),
        materials=None,
        facts=None,
        log=None,
        started=now,
        finished=now,
        run=run,
    )
    text = keys.canonical_json(said)
    (folder / PROVENANCE).write_bytes(text)
    files[PROVENANCE] = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    key, digest = keys.digest(parts), content_digest(files)
    manifest = {"stage": FILED, "key": key, "components": parts, "files": files, "digest": digest}
    return StoredObject(stage=FILED, key=key, path=folder, manifest=manifest)


def _say_nothing(_text: str) -> None:
    """Another order on this worker brings it."""
