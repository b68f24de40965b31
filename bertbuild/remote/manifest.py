"""An artifact of the OCI image specification: a manifest, a layer for each file, and the signed statement.

https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bertbuild.json_text import parse_json
from bertbuild.remote.signing import RefusedError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
RESULT_TYPE, IMAGE_TYPE = "application/vnd.bertbuild.result.v1", "application/vnd.bertbuild.image.v1"
"""Kinds of artifacts: a result, and a statement on an image that the registry has beside it."""
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
FILE_TYPE = "application/octet-stream"
TITLE, CREATED = "org.opencontainers.image.title", "org.opencontainers.image.created"

LARGEST = 4 * 2**20
"""Bytes of a manifest: registries take no larger ones."""
_EMBEDDED = 2**18
"""Bytes of an envelope that also stands in the manifest, so that looking a key up is one request."""
_LARGEST_FILE = 2**50

_OF = {RESULT_TYPE: "a result", IMAGE_TYPE: "an image"}

EMPTY = b"{}"
"""The config of an artifact that needs none."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A layer: sha256 in hex, bytes, and its content where the manifest holds it."""

    digest: str
    size: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What a manifest says: the envelope, and the files by their names."""

    envelope: Blob
    files: Mapping[str, Blob]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file."""
        return {name: blob.size for name, blob in self.files.items()}


def write_artifact(
    files: Mapping[str, Mapping[str, Any]], envelope: bytes, facts: Mapping[str, str], kind: str = RESULT_TYPE
) -> bytes:
    """A manifest of files (name → {"sha256", "bytes"}) and a statement; `facts` become its annotations."""
    layers = [
        _descriptor(FILE_TYPE, entry["sha256"], entry["bytes"], annotations={TITLE: name})
        for name, entry in sorted(files.items())
    ]
    layers.append(_embedded(ENVELOPE_TYPE, envelope))
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": kind,
        "config": _embedded(EMPTY_TYPE, EMPTY),
        "layers": layers,
        "annotations": dict(facts),
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def read_artifact(content: bytes, kind: str = RESULT_TYPE) -> Artifact:
    """What a manifest says.

    Raises:
        RefusedError: it is none of this kind, or larger than registries take.
    """
    if len(content) > LARGEST:
        raise RefusedError(f"its manifest is larger than {LARGEST} bytes")
    try:
        value = parse_json(content)
        is_ours = (value["schemaVersion"], value["artifactType"]) == (2, kind)
        is_ours = is_ours and value.get("mediaType", MANIFEST_TYPE) == MANIFEST_TYPE
        layers = [(layer, _blob(layer)) for layer in value["layers"]]
        envelopes = [blob for layer, blob in layers if layer["mediaType"] == ENVELOPE_TYPE]
        named = [(layer["annotations"][TITLE], blob) for layer, blob in layers if layer["mediaType"] != ENVELOPE_TYPE]
        files = dict(named)
        is_named = all(isinstance(name, str) for name in files)
    except RefusedError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError("its manifest cannot be read") from error
    if not is_named:
        raise RefusedError("its manifest has a file without a name")
    if not is_ours:
        raise RefusedError(f"its manifest is not of {_OF[kind]} of bertbuild")
    if len(envelopes) != 1:
        raise RefusedError("it is not signed" if not envelopes else "it has several statements")
    if len(files) != len(named):
        raise RefusedError("its manifest has two files of one name")
    if envelopes[0].size > LARGEST:
        raise RefusedError(f"its statement is larger than {LARGEST} bytes")
    return Artifact(envelope=envelopes[0], files=files)


def signed_bytes(artifact: Artifact, blob: Callable[[str, int], Iterator[bytes]]) -> bytes:
    """The envelope of an artifact; where the manifest does not hold it, `blob` gives its bytes from a place on.

    Raises:
        RefusedError: it is not the one that the manifest names.
    """
    wanted, gathered = artifact.envelope, bytearray(artifact.envelope.content or b"")
    for piece in blob(wanted.digest, 0) if wanted.content is None else ():
        gathered += piece
        if len(gathered) > wanted.size:
            break
    if len(gathered) != wanted.size or hashlib.sha256(gathered).hexdigest() != wanted.digest:
        raise RefusedError("its statement is not the one of its manifest")
    return bytes(gathered)


def _descriptor(media_type: str, digest: str, size: int, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size, **more}


def _embedded(media_type: str, content: bytes) -> dict[str, Any]:
    data = {"data": base64.b64encode(content).decode()} if len(content) <= _EMBEDDED else {}
    return _descriptor(media_type, hashlib.sha256(content).hexdigest(), len(content), **data)


def _blob(layer: Mapping[str, Any]) -> Blob:
    found = _DIGEST.fullmatch(layer["digest"])
    size, data = layer["size"], layer.get("data")
    if found is None or type(size) is not int or not 0 <= size <= _LARGEST_FILE:
        raise RefusedError("its manifest has an invalid digest or size")
    try:
        content = None if data is None else base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise RefusedError("its manifest has data that cannot be read") from error
    return Blob(digest=found[1], size=size, content=content)
