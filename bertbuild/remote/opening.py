"""The remote store that the settings name."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.addresses import bare
from bertbuild.config import Settings
from bertbuild.errors import UsageError
from bertbuild.remote.protocols import Transport
from bertbuild.remote.results import Results
from bertbuild.remote.shared_folder import Folder
from bertbuild.remote.signing import Signer, Trust

if TYPE_CHECKING:
    from bertbuild.remote.images import Images

SCHEMES = ("oci", "oci+http", "s3", "file")
_S3 = re.compile(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/-]*))?")
_OCI = re.compile(
    r"((?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?)"  # host and port
    r"/([a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"  # as Distribution has it
    r"(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,31}))?"
)
_WAYS = "oci://host/repository[:prefix], s3://bucket/prefix or file:///folder"


def open_remote(settings: Settings) -> Results | None:
    """The remote store of the settings, None where they name none. Nothing is asked of it.

    Raises:
        UsageError: its address, a key in trust or the private key is none, or writing is on without a private key.
        RemoteError: it needs a package that is not installed.
    """
    if not settings.remote:
        return None
    trust, signer = _keys(settings)
    if settings.remote_write and signer is None:
        raise UsageError(
            "Writing to the remote store is on, and no private key is named to sign what is put there.",
            next_step="Make one with `bertbuild remote keygen`, and name it: [remote] key, or BERTBUILD_REMOTE_KEY.",
        )
    return Results(open_transport(settings.remote), trust, signer)


def open_images(settings: Settings) -> Images:
    """The images of stages in the registry of the settings. Nothing is asked of it.

    Raises:
        UsageError: they name none, or its address or a key is none.
        RemoteError: it needs a package that is not installed.
    """
    from bertbuild.remote.images import Images
    from bertbuild.remote.registry import Registry

    transport = open_transport(settings.remote) if settings.remote else None
    if not isinstance(transport, Registry):
        raise UsageError(
            f"Images are pushed to a registry and pulled from one, and the remote store is "
            f"{bare(settings.remote) if settings.remote else 'not named'}.",
            next_step="Name a registry: [remote] url = oci://host/repository, or BERTBUILD_REMOTE.",
        )
    return Images(transport, *_keys(settings))


def _keys(settings: Settings) -> tuple[Trust, Signer | None]:
    signer = Signer(settings.remote_key) if settings.remote_key is not None else None
    return Trust(settings.remote_trust), signer


def open_transport(address: str) -> Transport:
    """The place at an address.

    Raises:
        UsageError: it is no such address.
    """
    scheme, found, rest = address.partition("://")
    if not found or scheme not in SCHEMES or not rest:
        raise UsageError(
            f"The remote store's address {bare(address)!r} is of no known form.", next_step=f"Write {_WAYS}."
        )
    if scheme == "file":
        return _folder(address, rest)
    if scheme in ("oci", "oci+http"):
        return _registry(address, rest, plain=scheme == "oci+http")
    return _bucket(address, rest)


def _registry(address: str, rest: str, *, plain: bool) -> Transport:
    found = _OCI.fullmatch(rest)
    if found is None:
        raise UsageError(
            f"The remote store's address {bare(address)!r} names no repository of a registry.",
            next_step="Write oci://host/repository or oci://host/repository:prefix; the name in lower case. "
            "The login is that of docker login and does not belong here.",
        )
    from bertbuild.remote.http import Http
    from bertbuild.remote.registry import Registry

    host, repository, prefix = found.groups()
    return Registry(address, Http(host, repository, plain=plain), repository, prefix or "")


def _bucket(address: str, rest: str) -> Transport:
    found = _S3.fullmatch(rest)
    if found is None:
        raise UsageError(
            f"The remote store's address {bare(address)!r} names no bucket.", next_step="Write s3://bucket/prefix."
        )
    from bertbuild.remote.bucket import Bucket, library

    library()
    from obstore.store import S3Store

    return Bucket(address, S3Store(found[1], prefix=found[2] or None))


def _folder(address: str, rest: str) -> Folder:
    if not rest.startswith("/") or re.search(r"[?#]", rest):
        raise UsageError(
            f"The remote store's address {bare(address)!r} has no absolute path.", next_step="Write file:///folder."
        )
    return Folder(address, Path(urllib.parse.unquote(rest)))
