"""The limits of a container as people set them by variables, judged before any container is started with them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from bertbuild.errors import UsageError

MEMORY, CPUS, PIDS, TMP = "BERTBUILD_MEMORY", "BERTBUILD_CPUS", "BERTBUILD_PIDS", "BERTBUILD_TMP"

LEAST_MEMORY = 64 * 2**20
"""Below this no stage can begin: Python and its libraries alone take more."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
"""As Docker reads an amount of memory (go-units' RAMInBytes)."""

_POWERS = " kmgtp"


def require_limits(cpus: int = 0, environ: Mapping[str, str] | None = None) -> None:
    """Make sure that the limits can be given to a container.

    Args:
        cpus: how many processors the engine has; 0 where it was not asked.
        environ: the environment, else the process's.

    Raises:
        UsageError: a variable's value is no limit, or one that no stage can run in.
    """
    environ = os.environ if environ is None else environ
    for name in (MEMORY, TMP):
        if text := environ.get(name):
            size = _bytes(text)
            if size is None:
                raise _refused(name, 'an amount of memory such as "16g" or "800m"', text)
            if name == MEMORY and 0 < size < LEAST_MEMORY:
                raise _refused(name, "at least 64m, or no stage can begin", text)
    if (text := environ.get(PIDS)) and not re.fullmatch("[0-9]{1,9}", text):
        raise _refused(PIDS, "a whole number of processes; 0 for no limit", text)
    if text := environ.get(CPUS):
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            raise _refused(CPUS, "a number of processors such as 2 or 1.5; 0 for all", text)
        if 0 < cpus < float(text):
            raise _refused(CPUS, f"at most {cpus}, which the Docker engine has", text)


def _bytes(text: str) -> int | None:
    found = _SIZE.fullmatch(text)
    if found is None:
        return None
    return int(float(found[1]) * 1024 ** _POWERS.index(found[2].lower() or " "))


def _refused(name: str, words: str, text: str) -> UsageError:
    return UsageError(f"{name} must be {words}, not {text!r}.", next_step="Fix it, or leave it out (docs/docker.md).")
