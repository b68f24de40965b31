"""Images of stages in the remote store's registry: found by what they are made of, used by a digest that is signed.

The engine itself pushes and pulls them, and checks all bytes of one against its digest. Which digest that is says a
statement beside it: an artifact with one layer, a DSSE envelope as that of a result. A tag is trusted in nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertbuild import __version__
from bertbuild.backends import BACKENDS
from bertbuild.errors import RemoteError
from bertbuild.isolation.images import source_digest
from bertbuild.json_text import parse_json
from bertbuild.provenance.statement import BUILDER, STATEMENT, timestamp
from bertbuild.remote.manifest import (
    CREATED,
    EMPTY,
    IMAGE_TYPE,
    LARGEST,
    read_artifact,
    signed_bytes,
    write_artifact,
)
from bertbuild.remote.protocols import IMAGE, SIGNED_IMAGE, GoneError, put_small
from bertbuild.remote.signing import RefusedError, Signer, Trust

if TYPE_CHECKING:
    from bertbuild.remote.registry import Registry

PREDICATE = "https://bertbuild.org/image/v1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(rf"{SIGNED_IMAGE}-([a-z0-9][a-z0-9._-]*-[0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedImage:
    """An image that a key in trust signed, and that is the one that was asked for.

    Attributes:
        digest: sha256 (hex) of its manifest in the registry.
        environment: what it is made of, as far as keys hold it.
        signer: the public key that signed it.
    """

    digest: str
    environment: Mapping[str, str]
    signer: str


class Images:
    """The images of a registry: each is asked for by its backend, and has to be built of the sources that are here."""

    def __init__(self, registry: Registry, trust: Trust, signer: Signer | None = None) -> None:
        """`signer`: whose key signs what is put there; None where nothing is."""
        self.address, self._registry = registry.address, registry
        self._trust, self._signer = trust, signer

    def reference(self, backend: str) -> str:
        """The name that an engine pushes an image by: with a tag, for which the registry keeps it."""
        return f"{self._registry.place}:{self._registry.tag(_named(IMAGE, backend))}"

    def pinned(self, image: SignedImage) -> str:
        """The name that an engine pulls it by: with its digest, which the engine checks."""
        return f"{self._registry.place}@sha256:{image.digest}"

    def look(self, backend: str) -> SignedImage | str | None:
        """The image of a backend; why the one that is there is not used; None where there is none.

        Raises:
            RemoteError: the registry does not answer, or the extra is not installed.
        """
        content = self._registry.manifest(_named(SIGNED_IMAGE, backend), LARGEST)
        if content is None:
            return None
        try:
            envelope = signed_bytes(read_artifact(content, IMAGE_TYPE), self._registry.blob)
            return _read(backend, *self._trust.payload(envelope))
        except RefusedError as error:
            return str(error)
        except GoneError:
            return "its statement is not there any more"

    def require_signer(self) -> Signer:
        """The private key.

        Raises:
            RemoteError: none is given.
        """
        if self._signer is None:
            raise RemoteError(
                "What is put into a remote store must be signed, and no key is given.",
                next_step="Make one with `bertbuild remote keygen`, and name it with BERTBUILD_REMOTE_KEY.",
            )
        return self._signer

    def sign(self, backend: str, digest: str, environment: Mapping[str, str]) -> None:
        """Put a statement there on an image that the registry has by now.

        Raises:
            RemoteError: no key is given, or the registry does not take it, or gives something else than a trusted one.
        """
        payload = json.dumps(_statement(backend, digest, environment), sort_keys=True).encode()
        envelope = self.require_signer().envelope(payload)
        facts = {CREATED: timestamp(time.time()), "org.bertbuild.backend": backend}
        content, name = write_artifact({}, envelope, facts, IMAGE_TYPE), _named(SIGNED_IMAGE, backend)
        for small in (envelope, EMPTY):
            put_small(self._registry, small)
        self._registry.put_manifest(name, content, replace=True)
        if self._registry.manifest(name, LARGEST) != content and not isinstance(self.look(backend), SignedImage):
            raise RemoteError(
                f"{name} was put into the remote store {self.address}, which gives something else.",
                next_step="Look who else may write there; nobody uses what no key in trust signed.",
            )


def images_among(names: Iterable[str]) -> dict[str, str]:
    """Of names in a remote store those of images' statements, each with that of its image."""
    return {name: f"{IMAGE}-{found[1]}" for name in names if (found := _NAME.fullmatch(name))}


def names_here() -> set[str]:
    """The names of the statements of all images that would be built here."""
    return {_named(SIGNED_IMAGE, backend) for backend in BACKENDS}


def _named(what: str, backend: str) -> str:
    return f"{what}-{BACKENDS[backend].image}-{source_digest(backend)}"


def _statement(backend: str, digest: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """An in-toto statement: https://github.com/in-toto/attestation/tree/main/spec/v1."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": BACKENDS[backend].image, "digest": {"sha256": digest}}],
        "predicateType": PREDICATE,
        "predicate": {
            "backend": backend,
            "source": source_digest(backend),
            "environment": dict(environment),
            "builder": {"id": f"{BUILDER}/docker", "version": {"bertbuild": __version__}},
            "finishedOn": timestamp(time.time()),
        },
    }


def _read(backend: str, payload: bytes, signer: str) -> SignedImage:
    """What a trusted key signed, if it is about the image that was asked for.

    Raises:
        RefusedError: it is not.
    """
    try:
        value = parse_json(payload)
        kind, predicate, (subject,) = value["predicateType"], value["predicate"], value["subject"]
        digest, environment = subject["digest"]["sha256"], predicate["environment"]
        of = predicate["backend"], predicate["source"]
        is_whole = value["_type"] == STATEMENT and kind == PREDICATE and _DIGEST.fullmatch(digest) is not None
        is_whole = is_whole and all(isinstance(text, str) for text in (*environment, *environment.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError("what is signed is no statement on an image") from error
    if not is_whole:
        raise RefusedError("what is signed is no statement on an image")
    if of != (backend, source_digest(backend)):
        raise RefusedError(f"what is signed is about another image, of {str(of[0])[:40]!r}")
    return SignedImage(digest=digest, environment=dict(environment), signer=signer)
