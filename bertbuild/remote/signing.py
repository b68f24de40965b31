"""Statements signed and checked: DSSE envelopes with ed25519, by securesystemslib.

https://github.com/secure-systems-lab/dsse; a public key is written as `ed25519:` and its 32 bytes in hex.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.errors import RemoteError, UsageError
from bertbuild.json_text import parse_json

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

PAYLOAD_TYPE = "application/vnd.in-toto+json"
KEY_TYPE = "ed25519"
_PUBLIC = re.compile(rf"{KEY_TYPE}:([0-9a-f]{{64}})")


def _require_library() -> None:
    """Refuse where the extra is not installed.

    Raises:
        RemoteError: it is not.
    """
    try:
        import cryptography  # noqa: F401
        import securesystemslib.dsse  # noqa: F401
    except ImportError as error:
        raise RemoteError(
            f"A remote store needs the package {error.name}, which is not installed.",
            next_step="Install it: pip install 'bertbuild[remote]'.",
        ) from error


class RefusedError(ValueError):
    """Why something of a remote store is not used, after "it is not used: "."""


class Trust:
    """The public keys whose signatures count."""

    def __init__(self, written: str) -> None:
        """`written`: the keys, with commas.

        Raises:
            UsageError: one is no public key.
        """
        texts = [text.strip() for text in written.split(",") if text.strip()]
        for text in texts:
            if not _PUBLIC.fullmatch(text):
                raise UsageError(
                    f"The remote store's trust has {text[:80]!r}, which is not a public key.",
                    next_step=f"A key is written {KEY_TYPE}: and 64 hex digits; `bertbuild remote keygen` makes one.",
                )
        self.texts = tuple(dict.fromkeys(texts))

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.texts)

    @cached_property
    def _keys(self) -> list[Key]:
        return [_public(text) for text in self.texts]

    def payload(self, envelope: bytes) -> tuple[bytes, str]:
        """The signed bytes of an envelope, and the public key that signed them.

        Raises:
            RefusedError: it is no envelope, or no key of these signed it.
            RemoteError: the extra is not installed.
        """
        _require_library()
        from securesystemslib.dsse import Envelope
        from securesystemslib.exceptions import VerificationError

        keys = self._keys
        try:
            value = parse_json(envelope)
            read = Envelope.from_dict(value)
            kind = read.payload_type
        except Exception as error:  # whatever the library meets in a stranger's bytes
            raise RefusedError(f"its signature cannot be read ({type(error).__name__})") from error
        if kind != PAYLOAD_TYPE:
            raise RefusedError("what is signed is not an in-toto statement")
        try:
            signers = read.verify(keys, 1) if keys else {}
        except VerificationError:
            signers = {}
        except Exception as error:  # likewise
            raise RefusedError(f"its signature cannot be checked ({type(error).__name__})") from error
        if not signers:
            raise RefusedError("no key in trust signed it")
        return read.payload, next(text for text, key in zip(self.texts, keys, strict=True) if key.keyid in signers)


class Signer:
    """A private key."""

    def __init__(self, path: Path) -> None:
        """Read it from a PEM file (PKCS 8), as `generate` makes one.

        Raises:
            UsageError: it is no ed25519 key, or cannot be read.
            RemoteError: the extra is not installed.
        """
        _require_library()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from securesystemslib.signer import CryptoSigner

        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                f"The private key {path} cannot be read: {getattr(error, 'strerror', None) or 'it is no PEM file'}.",
                next_step="Make one: bertbuild remote keygen --key FILE.",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError(
                f"The private key {path} is no {KEY_TYPE} key.",
                next_step="Make one: bertbuild remote keygen --key FILE.",
            )
        self._signer = CryptoSigner(key)

    @property
    def public(self) -> str:
        """The public key, as `trust` has it."""
        return _written(self._signer)

    def envelope(self, payload: bytes) -> bytes:
        """An envelope that holds these bytes, signed."""
        from securesystemslib.dsse import Envelope

        made = Envelope(payload, PAYLOAD_TYPE, {})
        made.sign(self._signer)
        return json.dumps(made.to_dict(), sort_keys=True, separators=(",", ":")).encode()


def generate(path: Path) -> str:
    """Make a private key in a new file that only its owner may read; gives the public key.

    Raises:
        UsageError: there is such a file, or it cannot be written.
        RemoteError: the extra is not installed.
    """
    _require_library()
    import os

    from securesystemslib.signer import CryptoSigner

    signer = CryptoSigner.generate_ed25519()
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already.", next_step="Name a new file with --key.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", next_step="Name another file.") from error
    with os.fdopen(file, "wb") as stream:
        stream.write(signer.private_bytes)
    return _written(signer)


def _public(text: str) -> Key:
    _require_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(bytes.fromhex(text.partition(":")[2])))


def _written(signer: CryptoSigner) -> str:
    return f"{KEY_TYPE}:{signer.public_key.keyval['public']}"
