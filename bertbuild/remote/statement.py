"""The signed statement of a result in a remote store: what is known of the result before a byte of it is here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from bertbuild import keys
from bertbuild.json_text import parse_json
from bertbuild.provenance.made import Made
from bertbuild.provenance.shape import problems
from bertbuild.provenance.statement import BUILD_TYPE, HOST
from bertbuild.remote.signing import RefusedError, Trust
from bertbuild.stages import MANIFEST, PROVENANCE
from bertbuild.store.store import content_digest


@dataclass(frozen=True)
class Statement:
    """A statement that a key in trust signed, and that is about the result that was asked for.

    Attributes:
        stage: what made the result.
        key: its key.
        payload: what was signed: the bytes of the result's provenance.json.
        signer: the public key that signed them.
        sizes: bytes of each file, as the remote store says; nobody signed these, so they are checked on arrival.
    """

    stage: str
    key: str
    payload: bytes
    signer: str
    sizes: Mapping[str, int]

    @cached_property
    def made(self) -> Made:
        """What it says."""
        return _made(self.payload)

    @property
    def files(self) -> Mapping[str, str]:
        """The sha256 of each file but provenance.json, which is the payload."""
        return self.made.files

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes[name] for name in self.files) + len(self.payload)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest.json of the result, as `Store.publish` wrote it where the result was made."""
        made = self.made
        files = {name: {"bytes": self.sizes[name], **entry} for name, entry in made.entries.items()}
        files[PROVENANCE] = {"bytes": len(self.payload), "sha256": hashlib.sha256(self.payload).hexdigest()}
        return {
            "stage": made.stage,
            "key": made.key,
            "components": made.components,
            **({"isolation": made.isolation} if made.isolation != HOST else {}),
            "files": files,
            "digest": content_digest(files),
        }


def read_statement(stage: str, key: str, envelope: bytes, sizes: Mapping[str, int], trust: Trust) -> Statement:
    """The statement in an envelope.

    Args:
        stage: of the result that was asked for.
        key: likewise.
        envelope: a DSSE envelope.
        sizes: bytes of each file that the remote store has of it.
        trust: whose signatures count.

    Raises:
        RefusedError: nobody of these signed it, or it is about something else.
        RemoteError: the extra is not installed.
    """
    payload, signer = trust.payload(envelope)
    made = _made(payload)
    if (made.stage, made.key) != (stage, key):
        raise RefusedError(f"what is signed is about {made.stage} {made.key[:12]}")
    try:
        actual = keys.digest(made.components)
    except (TypeError, ValueError, RecursionError) as error:
        raise RefusedError("the parts of its key cannot be read") from error
    if actual != key:
        raise RefusedError("its key is not the digest of what it says it was made of")
    for name in made.files:
        _check_name(name)
    lacking = sorted(made.files.keys() - sizes.keys())
    if lacking:
        raise RefusedError(f"its file {lacking[0]} is not there")
    return Statement(stage=stage, key=key, payload=payload, signer=signer, sizes={n: sizes[n] for n in made.files})


def _made(payload: bytes) -> Made:
    try:
        statement = parse_json(payload)
        found = problems(statement)
        if found or statement["predicate"]["buildDefinition"]["buildType"] != BUILD_TYPE:
            raise RefusedError("what is signed is not a statement of bertbuild")
        return Made(statement)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RefusedError("what is signed is not a statement of bertbuild") from error


def _check_name(name: str) -> None:
    """Refuse a name that leads out of a result's folder, or is one of the store's own files."""
    path = PurePosixPath(name)
    is_plain = str(path) == name and not path.is_absolute() and ".." not in path.parts and "\\" not in name
    if not is_plain or "\0" in name or name in (".", MANIFEST, PROVENANCE):
        raise RefusedError(f"it has a file of the name {name[:80]!r}")
