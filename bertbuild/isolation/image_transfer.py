"""Images pushed to a registry, and pulled from one by a digest: by the engine, with the logins of `docker login`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping

from bertbuild.errors import RemoteError
from bertbuild.isolation import docker_engine
from bertbuild.isolation.compose_file import compose_environment
from bertbuild.isolation.image_builds import BUILD_TAIL_LINES, run_lines
from bertbuild.isolation.images import BASE_LABEL, SOURCE_LABEL, facts, image_name, source_digest
from bertbuild.isolation.process import Children

Progress = Callable[[int, int], None]
"""Called with the layers done and the layers in all."""

_PUSHED = re.compile(r"digest: sha256:([0-9a-f]{64}) size: [0-9]+$")
"""The end of the last line of `docker push`."""
_BEGUN = re.compile(r"([0-9a-f]{12}): (?:Preparing|Pulling fs layer)$")
_DONE = re.compile(r"([0-9a-f]{12}): (?:Pushed|Pull complete|Already exists|Layer already exists|Mounted from .*)$")


def push_image(backend: str, reference: str, progress: Progress) -> str:
    """Push a backend's image under a name with a tag; gives the sha256 (hex) of its manifest.

    Raises:
        EngineError: no engine answers.
        RemoteError: it could not be pushed.
    """
    code, tail = _docker(backend, "tag", image_name(backend), reference)
    if code == 0:
        try:
            code, tail = _docker(backend, "push", reference, progress=progress)
        finally:  # with the tag goes the engine's note that a registry has it: it was made here, and not pulled
            _docker(backend, "rmi", reference)
    found = next((found for line in reversed(tail) if (found := _PUSHED.search(line))), None)
    if code != 0 or found is None:
        host = reference.partition("/")[0]
        raise RemoteError(
            f"The image of backend {backend} could not be pushed to the registry {host} (docker push ended with "
            f"{code}).",
            next_step=f"Log in, if it wants a login: docker login {host}. See docker's last lines.",
            details="\n".join(tail),
        )
    return found[1]


def pull_image(backend: str, pinned: str, environment: Mapping[str, str], progress: Progress) -> str:
    """Pull a backend's image by a name with a digest, which the engine checks, and use it.

    Gives why it is not used, "" where it is.

    Args:
        backend: whose image it has to be.
        pinned: `registry/name@sha256:…`.
        environment: what it has to be made of, as `images.facts` says it.
        progress: is called as layers come.

    Raises:
        EngineError: no engine answers.
    """
    code, tail = _docker(backend, "pull", pinned, progress=progress)
    if code != 0:
        return f"docker pull ended with {code}: {tail[-1] if tail else 'it said nothing'}"
    image = docker_engine.image(pinned)
    labels = {} if image is None else image.labels
    is_built_of = labels.get(SOURCE_LABEL) == source_digest(backend) and bool(labels.get(BASE_LABEL))
    if image is None or not is_built_of or facts(backend, image) != environment:
        _docker(backend, "rmi", pinned)
        return "it is not built of what its statement says"
    code, tail = _docker(backend, "tag", pinned, image_name(backend))
    return "" if code == 0 else f"docker tag ended with {code}: {tail[-1] if tail else 'it said nothing'}"


def _docker(backend: str, *arguments: str, progress: Progress | None = None) -> tuple[int, deque[str]]:
    """The exit code of a docker command, and its last lines."""
    tail: deque[str] = deque(maxlen=BUILD_TAIL_LINES)
    known: set[str] = set()
    done: set[str] = set()

    def keep(line: str) -> None:
        tail.append(line)
        if begun := _BEGUN.search(line):
            known.add(begun[1])
        if ended := _DONE.search(line):
            done.add(ended[1])
            if progress is not None:
                progress(len(done), len(known | done))

    code = run_lines(["docker", *arguments], env=compose_environment(backend), on_line=keep, children=Children())
    return code, tail
