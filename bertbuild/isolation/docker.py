"""The place "docker": stages in containers of an engine (compose.py)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from bertbuild.config import Settings
from bertbuild.errors import BertbuildError
from bertbuild.isolation import docker_engine
from bertbuild.isolation.base import Finding, Isolation
from bertbuild.isolation.limits import require_limits


def isolation(settings: Settings) -> Isolation:
    """See `Place.isolation`."""
    from bertbuild.isolation.compose import ComposeIsolation

    require_limits()
    if settings.offline:
        docker_engine.require_local()
    return ComposeIsolation(offline=settings.offline, store=settings.artifacts)


def why_not(settings: Settings, *, used_last: bool) -> str:
    """See `Place.why_not`: no engine answers, or it is reached over the network, which must not be used."""
    if settings.offline and docker_engine.on_the_network():
        address = docker_engine.endpoint()
        why = f"the Docker engine at {address} is reached over the network, which must not be used (offline)"
        return "" if used_last else why
    return "" if docker_engine.engine_answers() else "no Docker engine answers"


def findings(settings: Settings) -> Iterator[Finding]:
    """See `Place.findings`: an engine, and Compose."""
    if settings.offline and docker_engine.on_the_network():
        address = docker_engine.endpoint()
        text = f"{address} is reached over the network, which must not be used (offline); it was not asked"
        yield Finding(what="Docker", ok=False, text=text, needed_for="docker")
    else:
        yield _engine()


def _engine() -> Finding:
    try:
        docker_engine.require_engine()
        engine = docker_engine.engine()
        command = ["docker", "compose", "version", "--short"]
        plugin = subprocess.run(command, capture_output=True, text=True, check=False)
    except BertbuildError as error:
        return Finding(what="Docker", ok=False, text=f"{error} {error.next_step}", needed_for="docker")
    except OSError:
        return Finding(what="Docker", ok=False, text="an engine, but no docker program", needed_for="docker")
    if plugin.returncode != 0:
        return Finding(what="Docker", ok=False, text="an engine, but no compose plug-in", needed_for="docker")
    return Finding(
        what="Docker",
        ok=True,
        text=f"{engine} answers at {docker_engine.endpoint()}, compose {plugin.stdout.strip()}",
        needed_for="docker",
    )
