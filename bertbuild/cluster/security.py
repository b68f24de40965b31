"""Mutual TLS between client, scheduler and workers: what Dask is told of certificates, what failures of TLS mean."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.cluster.certificates import (
    AUTHORITY,
    ROLES,
    SOON,
    certificate_file,
    key_file,
    read_certificate,
    read_key,
)
from bertbuild.errors import UsageError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from distributed import Security

_EXPIRED, _NOT_YET = 10, 9
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED and X509_V_ERR_CERT_NOT_YET_VALID."""


def needs_tls(address: str) -> bool:
    """Whether a connection to an address, or a listener at it, must have certificates: all but loopback without `tls://`.

    Raises:
        UsageError: it is no address.
    """
    scheme, host = _parts(address)
    if scheme == "tls":
        return True
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True  # a name can lead anywhere


def _parts(address: str) -> tuple[str, str]:
    try:
        parts = urllib.parse.urlsplit(address if "://" in address else f"tcp://{address}")
        parts.port  # noqa: B018 - reading it judges it
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme = host = ""
    if scheme not in ("tcp", "tls") or not host:
        raise UsageError(
            f"{address!r} is no address of a scheduler.",
            next_step="Write it as tls://HOST:PORT, or tcp://127.0.0.1:PORT on one machine.",
        )
    return scheme, host


def cluster_security(
    certificates_folder: Path,
    role: str,
    *,
    on_note: Callable[[str], None] = lambda _text: None,
    now: dt.datetime | None = None,
) -> Security:
    """What Dask needs for mutual TLS in a role.

    Args:
        certificates_folder: has `ca.pem`, and the role's certificate and private key.
        role: scheduler, worker or client.
        on_note: is told of a certificate that expires within 30 days.
        now: the time that certificates are judged at; None for this moment.

    Raises:
        UsageError: a file is not there or is not what it should be, a certificate has expired, is not valid yet, or was
            not made by this authority.
    """
    if role not in ROLES:
        raise ValueError(role)
    moment = now or dt.datetime.now(dt.timezone.utc)
    paths = [certificate_file(certificates_folder, name) for name in (AUTHORITY, role)]
    authority, certificate = (read_certificate(path) for path in paths)
    for path, read in zip(paths, (authority, certificate), strict=True):
        _require_valid(path, read, moment)
        if read.not_valid_after_utc - moment <= SOON:
            on_note(f"{path} expires on {_day(read.not_valid_after_utc)}; {_anew(path)}")
    _require_made_by(authority, certificate, paths[1])
    key = key_file(certificates_folder, role)
    if read_key(key).public_key() != certificate.public_key():
        raise UsageError(
            f"{key} is not the private key of {paths[1].name}.",
            next_step="Copy both from the folder they were made in.",
        )
    from distributed import Security

    files = {"tls_ca_file": str(paths[0]), f"tls_{role}_cert": str(paths[1]), f"tls_{role}_key": str(key)}
    return Security(require_encryption=True, **files)


def tls_failure(error: BaseException, address: str) -> UsageError | None:
    """What a connection that failed says of certificates; None where it failed for something else."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            told = {
                _EXPIRED: f"The certificate of {address} has expired",
                _NOT_YET: f"The certificate of {address} is not valid yet, or the clock of this machine is wrong",
            }.get(cause.verify_code, f"The certificate of {address} was not made by the authority in ca.pem here")
            return UsageError(f"{told}.", next_step=_ANEW)
        if isinstance(cause, ssl.SSLError):
            why = (cause.reason or "no reason").lower().replace("_", " ")
            refuses = "certificate" in why or "unknown ca" in why
            told = "refuses the certificate of this machine" if refuses else "does not speak TLS as this machine does"
            return UsageError(f"{address} {told} ({why}).", next_step=_ANEW)
    return None


_ANEW = "Make certificates with `bertbuild cluster certificates FOLDER`, and give all machines those of one folder."


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    next_one: BaseException | None = error
    while next_one is not None and id(next_one) not in seen:
        seen.add(id(next_one))
        yield next_one
        next_one = next_one.__cause__ or next_one.__context__


def _require_valid(path: Path, certificate: Certificate, now: dt.datetime) -> None:
    if certificate.not_valid_after_utc <= now:
        raise UsageError(
            f"The cluster's certificate {path} expired on {_day(certificate.not_valid_after_utc)}.",
            next_step=f"{_anew(path).capitalize()}.",
        )
    if certificate.not_valid_before_utc > now:
        begins = certificate.not_valid_before_utc
        raise UsageError(
            f"The cluster's certificate {path} is valid from {begins:%Y-%m-%d %H:%M} UTC, "
            f"and this machine's clock says {now:%Y-%m-%d %H:%M} UTC.",
            next_step="Set the clock right.",
        )


def _require_made_by(authority: Certificate, certificate: Certificate, path: Path) -> None:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise UsageError(
            f"{path} was not made by the authority in {AUTHORITY}.pem beside it.",
            next_step="Copy both from the folder they were made in.",
        ) from error


def _anew(path: Path) -> str:
    if path.stem == AUTHORITY:
        return "make all certificates again: `bertbuild cluster certificates` with a new folder"
    return (
        f"remove it and {path.stem}-key.pem where the authority's key is, run `bertbuild cluster certificates` "
        "there again, and copy both here"
    )


def _day(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d}"
