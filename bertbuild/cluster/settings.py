"""The address of a scheduler: over TLS, or in the clear within one machine."""

from __future__ import annotations

import ipaddress
import logging
import re
from dataclasses import dataclass

from bertbuild.config import Settings
from bertbuild.errors import UsageError

PORT = 8786
"""Of a scheduler that is given none: Dask's own."""
TLS, TCP = "tls", "tcp"
_ADDRESS = re.compile(r"(tls|tcp)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::([0-9]{1,5}))?")
WAYS = "tls://host:port, or tcp://127.0.0.1:port on this machine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a scheduler listens; `scheme` is `TLS` or `TCP`."""

    scheme: str
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        """Whether it needs certificates."""
        return self.scheme == TLS

    @property
    def is_loopback(self) -> bool:
        """Whether nobody outside this machine can reach it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host's name is of this machine alone; a name that would have to be looked up is not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def read_address(text: str) -> Address:
    """The address of a scheduler.

    Raises:
        UsageError: it is none, or in the clear to another machine.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3] or PORT) > 65535:
        raise UsageError(f"The scheduler's address {text!r} is of no known form.", next_step=f"Write {WAYS}.")
    address = Address(scheme=found[1], host=found[2], port=int(found[3] or PORT))
    if address.scheme == TCP and not address.is_loopback:
        raise UsageError(
            f"The scheduler {address} is on another machine, and tcp:// is neither encrypted nor authenticated.",
            next_step="Write tls://, with the certificates that `bertbuild cluster certificates` makes.",
        )
    return address


def silence_dask() -> None:
    """Keep Dask, which is loaded, from writing to stderr: what matters of it is said by our errors."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def scheduler_of(settings: Settings) -> Address:
    """The scheduler that the settings name.

    Raises:
        UsageError: they name none, or it is no address.
    """
    if not settings.scheduler:
        raise UsageError(
            "No scheduler is named.", next_step=f"Name one: --scheduler, or [cluster] scheduler, as {WAYS}."
        )
    return read_address(settings.scheduler)
