"""Where container engines listen unless told otherwise: Docker, rootless Docker, Podman of a user, Podman of root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

DOCKER = Path("/var/run/docker.sock")
PODMAN = Path("/run/podman/podman.sock")


def usual_sockets() -> Iterator[Path]:
    """The sockets that are looked for, in order."""
    yield DOCKER
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "docker.sock"
        yield Path(runtime) / "podman" / "podman.sock"
    yield PODMAN


def usual_socket() -> Path:
    """The first socket that this user may use; else the first that is there; else Docker's."""
    there = [path for path in usual_sockets() if _is_there(path)]
    usable = [path for path in there if os.access(path, os.R_OK | os.W_OK)]
    return next(iter((*usable, *there)), DOCKER)


def _is_there(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:  # in a folder of somebody else's
        return False
