"""The place "docker": stages in containers of an engine (compose.py)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bertbuild.backends import BACKENDS
from bertbuild.config import Settings
from bertbuild.errors import BertbuildError
from bertbuild.isolation import docker_engine
from bertbuild.isolation.base import Finding, Isolation
from bertbuild.isolation.images import BASE_LABEL, SOURCE_LABEL, base_name, image_name, source_digest
from bertbuild.isolation.limits import require_limits

BUILT = "built"

NEEDED = {"data", "openvino", "tf2"}
"""Backends without which no build ends: all others are of one kind of target, or have another to take their place."""


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
        engine = _engine()
        yield engine
        if engine.ok:
            yield from _images(offline=settings.offline)


def _images(*, offline: bool) -> Iterator[Finding]:
    """The images, built, stale or missing; and for those that would be built, whether their bases can be had."""
    waiting: dict[str, list[str]] = {}
    for backend in BACKENDS:
        image = docker_engine.image(image_name(backend))
        state = _state(backend, image)
        if state != BUILT:
            waiting.setdefault(base_name(backend), []).append(backend)
        yield Finding(what=f"image {backend}", ok=True, text=state)
    with ThreadPoolExecutor() as threads:  # registries take their time to say no
        why_not = dict(
            zip(waiting, threads.map(lambda name: _why_no_base(name, offline=offline), waiting), strict=True)
        )
    for name, backends in waiting.items():
        needed_for = "docker" if set(backends) & NEEDED else ""
        text = why_not[name] or f"{name} is here or can be pulled"
        what = f"base image of {', '.join(backends)}"
        yield Finding(what=what, ok=not why_not[name], text=text, needed_for=needed_for)


def _state(backend: str, image: docker_engine.Image | None) -> str:
    if image is None:
        return "missing; built when needed"
    if image.labels.get(SOURCE_LABEL) == source_digest(backend) and image.labels.get(BASE_LABEL):
        return BUILT
    if image.labels.get(SOURCE_LABEL):
        return "stale: its sources have changed since; built again when needed"
    return "built by hand, and not labelled with its sources; built again when needed, mostly of what is there"


def _why_no_base(name: str, *, offline: bool) -> str:
    """Why a base image cannot be had, "" where it can."""
    if docker_engine.image(name) is not None:
        return ""
    if offline:
        return f"{name} is not here, and is not asked for (offline)"
    why = docker_engine.why_not_pulled(name)
    return f"{name} is not here and cannot be pulled ({why}); name another (docs/docker.md)" if why else ""


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
