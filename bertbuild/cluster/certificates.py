"""Certificates of a cluster: a certificate authority of its own, and a certificate for each role.

https://datatracker.ietf.org/doc/html/rfc5280. Dask compares no host names, so a certificate names a role and no host:
it is accepted because this authority signed it. A client's may not be a server's (extended key usage).
"""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, KeyUsage

ROLES = ("scheduler", "worker", "client")
AUTHORITY = "ca"
DAYS, AUTHORITY_DAYS = 365, 3650
SOON = dt.timedelta(days=30)
"""How long before its end a certificate is told of."""
_CLOCKS = dt.timedelta(minutes=5)
"""Clocks of machines differ: a certificate is valid this long before it was made."""


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate in a folder of certificates.

    Attributes:
        path: its file.
        until: when it expires, in UTC.
        new: whether it was made now, and was not there before.
    """

    path: Path
    until: dt.datetime
    new: bool


def certificate_file(folder: Path, name: str) -> Path:
    """Where the certificate of a role, or of the authority, is."""
    return folder / f"{name}.pem"


def key_file(folder: Path, name: str) -> Path:
    """Where its private key is."""
    return folder / f"{name}-key.pem"


def require_cryptography() -> None:
    """Refuse where the extra is not installed.

    Raises:
        UsageError: it is not.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Certificates need the package cryptography, which is not installed.",
            next_step="Install it: pip install 'bertbuild[cluster]'.",
        ) from error


def make_certificates(folder: Path, days: int = DAYS, *, now: dt.datetime | None = None) -> tuple[Made, ...]:
    """Make in a folder what it lacks of a certificate authority and of a certificate for each role, with their keys.

    Only its owner may read a private key. What is there stays as it is.

    Args:
        folder: made where there is none.
        days: how long the certificates of roles are valid, at most as long as the authority, 3,650 days.
        now: when they are made; None for this moment.

    Raises:
        UsageError: all are there; half of a pair is not; the authority has expired; the folder cannot be written.
    """
    require_cryptography()
    moment = now or dt.datetime.now(dt.timezone.utc)
    names = [name for name in (AUTHORITY, *ROLES) if not _is_whole(folder, name)]
    if not names:
        ends = min(read_certificate(certificate_file(folder, role)).not_valid_after_utc for role in ROLES)
        raise UsageError(
            f"{folder} has all certificates already, the first of which expires on {ends:%Y-%m-%d}.",
            next_step="To replace one, remove it and its key (worker.pem, worker-key.pem). Or name a new folder.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority, key = _authority(folder, moment, new=AUTHORITY in names)
        for role in ROLES:
            if role in names:
                _certify(folder, role, moment + dt.timedelta(days=days), moment, authority, key)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be written: {error.strerror}.", next_step="Name another folder."
        ) from error
    return tuple(
        Made(path, read_certificate(path).not_valid_after_utc, name in names)
        for name in (AUTHORITY, *ROLES)
        for path in (certificate_file(folder, name),)
    )


def read_certificate(path: Path) -> Certificate:
    """A certificate of a PEM file.

    Raises:
        UsageError: it is not there, or is none.
    """
    require_cryptography()
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise unusable("certificate", path, error) from error


def read_key(path: Path) -> EllipticCurvePrivateKey:
    """A private key of a PEM file.

    Raises:
        UsageError: it is not there, or is none.
    """
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError  # noqa: TRY301, TRY004 - told below, as all that is no key of ours
    except (OSError, ValueError, TypeError) as error:
        raise unusable("private key", path, error) from error
    return key


def unusable(what: str, path: Path, error: Exception) -> UsageError:
    """The error for a file that cannot be read as what it should be."""
    why = getattr(error, "strerror", None) or "it is no PEM file of one"
    return UsageError(
        f"The cluster's {what} {path} cannot be read: {why}.",
        next_step=f"Make what is missing with `bertbuild cluster certificates {path.parent}`, or copy it here.",
    )


def _is_whole(folder: Path, name: str) -> bool:
    """Whether a certificate and its key are there.

    Raises:
        UsageError: one of them is.
    """
    pair = certificate_file(folder, name), key_file(folder, name)
    there = [path for path in pair if path.exists()]
    if len(there) == 1:
        lacking = next(path for path in pair if path not in there)
        more = "; it is on the machine that made the certificates" if name == AUTHORITY else ""
        raise UsageError(
            f"{there[0]} is there and {lacking.name} is not{more}.",
            next_step=f"Put {lacking.name} beside it, remove {there[0].name}, or name a new folder.",
        )
    return bool(there)


def _authority(folder: Path, now: dt.datetime, *, new: bool) -> tuple[Certificate, EllipticCurvePrivateKey]:
    certificate, key = certificate_file(folder, AUTHORITY), key_file(folder, AUTHORITY)
    if new:
        others = [role for role in ROLES if certificate_file(folder, role).exists()]
        if others:
            raise UsageError(
                f"{folder} has {others[0]}.pem, and no authority that made it.",
                next_step=f"Put {certificate.name} and {key.name} beside it, or name a new folder.",
            )
        _certify(folder, AUTHORITY, now + dt.timedelta(days=AUTHORITY_DAYS), now, None, None)
    read = read_certificate(certificate)
    if read.not_valid_after_utc <= now:
        raise UsageError(
            f"{certificate} expired on {read.not_valid_after_utc:%Y-%m-%d}, so it makes no certificates.",
            next_step="Name a new folder, and give its certificates to all machines of the cluster.",
        )
    return read, read_key(key)


def _certify(
    folder: Path,
    name: str,
    until: dt.datetime,
    now: dt.datetime,
    authority: Certificate | None,
    authority_key: EllipticCurvePrivateKey | None,
) -> None:
    """Write a private key, and a certificate of it: the authority's, or its own where there is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "bertbuild cluster"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
        ]
    )
    signer = authority_key or key
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(min(until, authority.not_valid_after_utc) if authority else until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.BasicConstraints(ca=not authority, path_length=None if authority else 0), critical=True)
        .add_extension(_key_usage(signs=not authority), critical=True)
    )
    if authority:
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        uses += [] if name == "client" else [ExtendedKeyUsageOID.SERVER_AUTH]
        built = built.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_new(key_file(folder, name), private, 0o600)
    certificate = built.sign(signer, hashes.SHA256())
    _write_new(certificate_file(folder, name), certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _key_usage(*, signs: bool) -> KeyUsage:
    from cryptography.x509 import KeyUsage

    return KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _write_new(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(data)
