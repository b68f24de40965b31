"""cluster: the certificates of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bertbuild.cluster.certificates import AUTHORITY, Made, make_certificates
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.errors import UsageError

_MOST_DAYS = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates(Result):
    """The certificates in a folder.

    Attributes:
        folder: where they are.
        certificates: of each its file, when it expires, and whether it is new.
    """

    folder: Path
    certificates: tuple[dict[str, str | bool], ...]


def certificates(session: Session, folder: str, days: int) -> Certificates:
    """Make what a folder lacks of a cluster's certificates.

    Raises:
        UsageError: it lacks nothing, half of a pair is not there, it cannot be written, or the extra is not installed.
    """
    if not 1 <= days <= _MOST_DAYS:
        raise UsageError(f"--days must be between 1 and {_MOST_DAYS} (got {days}).")
    made = make_certificates(Path(folder).expanduser(), days)
    return session.result(
        Certificates(folder=Path(folder), certificates=tuple(map(_facts, made))),
        *(f"{one.path} expires on {one.until:%Y-%m-%d}{'' if one.new else ' (was there)'}" for one in made),
        f"{AUTHORITY}-key.pem makes certificates: keep it from the machines of the cluster",
        f"each of them needs {AUTHORITY}.pem and the two files of its role; who has these can run code on all others",
    )


def _facts(made: Made) -> dict[str, str | bool]:
    return {"path": str(made.path), "until": made.until.isoformat(), "new": made.new}
