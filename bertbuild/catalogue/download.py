"""One file over HTTP(S), resumed across runs and retried with patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild.addresses import bare, with_credentials
from bertbuild.catalogue import disk
from bertbuild.catalogue.partial import Partial
from bertbuild.errors import DownloadError
from bertbuild.files.locking import exclusive

if TYPE_CHECKING:
    from bertbuild.catalogue.transfer import Attempt

Progress = Callable[[int, int | None], None]
"""Called with the bytes done so far and the bytes in all, if known."""
Note = Callable[[str], None]
"""Called with a sentence worth showing: waiting, trying again, repairing."""

_ENOUGH = 1 << 20  # bytes of progress after which a failing connection has earned its attempts back


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to keep trying; all times in seconds."""

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 60.0
    timeout: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, failures: int, asked: float | None) -> float:
        """The pause after the n-th failure: doubling, or what the server asked for, never beyond the longest."""
        return min(self.longest_wait, max(asked or 0.0, self.first_wait * 2.0 ** (failures - 1)))


_PATIENT = Patience()


def download(
    url: str,
    destination: Path,
    *,
    expected_bytes: int | None = None,
    progress: Progress | None = None,
    note: Note | None = None,
    patience: Patience = _PATIENT,
) -> Path:
    """Get `url` into `destination` and return it; a file already there is complete and is kept.

    Unfinished bytes stay in `destination` + ".part", after Ctrl-C and after a crash too, and the next call goes on from
    there if the server still has the same version. If another process is getting the same file, wait for it. User
    information in `url` is sent to its server and told to nobody.

    Raises DownloadError (refused, unreachable, a web page), IntegrityError (`expected_bytes` is not what the server
    has) and NoSpaceError.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{bare(url)} is not an http(s) address.", next_step="Check the address of the mirror.")
    try:
        url, credentials = with_credentials(url)
    except ValueError:  # the attempt says so
        url, credentials = bare(url), ""

    from bertbuild.catalogue.transfer import Attempt

    def tell(sentence: str) -> None:
        if note is not None:
            note(sentence)

    lock = destination.with_name(f"{destination.name}.lock")
    waiting = f"Another process is fetching {url}; waiting for it."
    attempt = Attempt(
        url=url,
        credentials=credentials,
        expected_bytes=expected_bytes,
        timeout=patience.timeout,
        progress=progress or _silent,
    )
    try:
        with exclusive(lock, on_wait=lambda: tell(waiting)):
            if not destination.exists():
                part = Partial(destination)
                _persist(attempt, part, tell, patience)
                part.finish(destination)
    except OSError as error:
        raise disk.no_space(error, what=str(destination)) or DownloadError(
            f"{destination} cannot be written.",
            next_step="Check the permissions of its folder, and that it is on a local disk.",
            details=str(error),
        ) from error
    return destination


def _persist(attempt: Attempt, part: Partial, tell: Note, patience: Patience) -> None:
    reasons: list[str] = []
    failures, farthest = 0, part.size()
    while (failure := attempt.run(part)) is not None:
        reasons.append(failure.reason)
        # A server that ignores ranges and cuts every time must not keep us for ever: only going farther than ever
        # before counts as progress.
        if part.size() >= farthest + _ENOUGH:
            failures, farthest = 0, part.size()
        failures += 1
        if failures >= patience.attempts:
            raise _given_up(attempt.url, part, reasons)
        pause = patience.wait(failures, failure.wait)
        tell(f"{failure.reason}; trying again in {pause:.1f} s.")
        patience.sleep(pause)


def _given_up(url: str, part: Partial, reasons: list[str]) -> DownloadError:
    kept = f"The {part.size():,} bytes that arrived are kept: run the same command again to go on. " * (part.size() > 0)
    return DownloadError(
        f"{url} could not be fetched: {reasons[-1]}.",
        next_step=f"{kept}Check the network and the proxy settings, or use --mirror or --from.",
        details="\n".join(f"attempt {number}: {reason}" for number, reason in enumerate(reasons, 1)),
    )


def _silent(_done: int, _total: int | None) -> None:
    """Report to nobody."""
