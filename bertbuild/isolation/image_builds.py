"""Building the image of a backend by `docker compose build`."""

from __future__ import annotations

import re
import subprocess
from collections import deque
from pathlib import Path

from bertbuild.addresses import bare
from bertbuild.backends import BACKENDS
from bertbuild.errors import ImageBuildError
from bertbuild.isolation import docker_engine
from bertbuild.isolation.base import OnLine
from bertbuild.isolation.compose_file import build_by_hand, compose_command, compose_environment
from bertbuild.isolation.images import base_name, identity, image_name, lock_digest, pinned, source_digest
from bertbuild.isolation.process import Children
from bertbuild.isolation.unlocked import unlocked
from bertbuild.project import ROOT

BUILD_TAIL_LINES = 40

_INSTRUCTION = re.compile(r"^(?:RUN|COPY|WORKDIR) ", re.MULTILINE)
_VERTEX = re.compile(r"(#\d+) \[[^\]]*\d+/\d+\]")
_VERTEX_DONE = re.compile(r"(#\d+) (?:DONE|CACHED)\b")

UNLOCKED_MISSING = "could not be installed. They come from"
"""What a Dockerfile's script says when it lacks packages that no lock file holds."""

NO_BASE = (
    "The base image could not be fetched. Name others that this machine has or can fetch (BERTBUILD_BASE_PYTHON37, "
    "BERTBUILD_BASE_PYTHON311; see docs/docker.md), or build without Docker: --isolation venv."
)

NO_BUILDKIT = (
    "This engine has no BuildKit, which builds the images. Build them with Docker, and give them to this engine: "
    "docker save IMAGE | podman load (docs/docker.md)."
)

# What a failed build says, and what helps.
REMEDIES = (
    (
        ("failed to do request", "failed to resolve source metadata", "failed to authorize", "pull access denied"),
        NO_BASE,
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED", "SSLError"),
        "The package index shows a certificate the image does not know. Name a bundle that does: BERTBUILD_CA_BUNDLE.",
    ),
    (
        ("Temporary failure in name resolution", "No matching distribution found", "Max retries exceeded"),
        "The package index could not be reached or does not have a package. Name another: BERTBUILD_INDEX_URL.",
    ),
    (("booting buildkit",), NO_BUILDKIT),
    (("No space left on device",), "The engine's disk is full. Free some of it: docker system prune."),
    (("is not a docker command",), "Install Docker's Compose plug-in (https://docs.docker.com/compose/install/)."),
)


def build_image(backend: str, on_line: OnLine, children: Children) -> None:
    """Build the image; what the build says is passed on line by line.

    Raises:
        EngineError: no engine answers.
        ImageBuildError: the build failed; its details are the build's last lines.
    """
    tail: deque[str] = deque(maxlen=BUILD_TAIL_LINES)

    def keep(line: str) -> None:
        tail.append(line)
        on_line(line)

    vertices = Vertices(ROOT / "docker" / "Dockerfile")
    base, on_base = _base(backend, keep, children)
    command = [*compose_command(), "build", BACKENDS[backend].folder]
    env = _build_environment(backend, base)
    code = run_lines(command, env=env, on_line=lambda line: keep(vertices.counted(line)), children=children)
    if code != 0:
        details = "\n".join(tail)
        raise ImageBuildError(
            f"The image of backend {backend} could not be built (docker compose build ended with {code}).",
            next_step=_unlocked_missing(backend, details)
            or remedy(details)
            or f"See the last lines; to repeat by hand: {build_by_hand(backend)}.",
            details=details,
        )
    if on_base is not None:
        _require_built_on(on_base, backend)


class Vertices:
    """What a build is made of, counted in what BuildKit says: `#12 [tf1 own 2/5] RUN …`, later `#12 DONE 3.4s`."""

    def __init__(self, dockerfile: Path) -> None:
        self._total = len(_INSTRUCTION.findall(dockerfile.read_text(encoding="utf-8"))) + 1  # and the base
        self._known: set[str] = set()
        self._done: set[str] = set()

    def counted(self, line: str) -> str:
        """A line of a build, behind how much of the build is done: `7 of 26: #12 3.2 Collecting numpy`."""
        if found := _VERTEX.match(line):
            self._known.add(found[1])
        if (found := _VERTEX_DONE.match(line)) and found[1] in self._known:
            self._done.add(found[1])
        return f"{min(len(self._done), self._total)} of {self._total}: {line}" if self._known else line


def _base(backend: str, on_line: OnLine, children: Children) -> tuple[str, docker_engine.Image | None]:
    """What the base of a backend counts as in keys, and the image itself where its name does not tell.

    Where the engine has none it is pulled: only then can the engine be asked.

    Raises:
        ImageBuildError: it cannot be had.
    """
    name = base_name(backend)
    if pinned(name):
        return pinned(name), None
    image, said = docker_engine.image(name), deque([name], maxlen=BUILD_TAIL_LINES)

    def keep(line: str) -> None:
        said.append(line)
        on_line(line)

    if image is None:
        run_lines(["docker", "pull", name], env=compose_environment(backend), on_line=keep, children=children)
        image = docker_engine.image(name)
    if image is None:
        raise ImageBuildError(
            f"The image of backend {backend} could not be built: there is no base image {name}.",
            next_step=NO_BASE,
            details="\n".join(said),
        )
    return identity(name, image), image


def _require_built_on(base: docker_engine.Image, backend: str) -> None:
    """Make sure that an image stands on the base that its keys will tell of.

    Raises:
        ImageBuildError: it stands on another one, which a builder of its own storage may have fetched.
    """
    built = docker_engine.image(image_name(backend))
    if built is None or built.layers[: len(base.layers)] != base.layers:
        raise ImageBuildError(
            f"The image of backend {backend} was built on another image than the {base_name(backend)} of this engine.",
            next_step="Use the engine's own builder (docker buildx use default), or name the base by its digest.",
        )


def _build_environment(backend: str, base: str) -> dict[str, str]:
    """What compose.yaml asks for when it builds; certificates and addresses come from where pip and uv take them."""
    env = compose_environment(backend)
    env |= {
        "DOCKER_BUILDKIT": "1",
        "BUILDKIT_PROGRESS": "plain",
        "BERTBUILD_BASE": base,
        "BERTBUILD_LOCK": lock_digest(backend),
        "BERTBUILD_SOURCE": source_digest(backend),
    }
    for name, others in {
        "BERTBUILD_CA_BUNDLE": ("SSL_CERT_FILE",),
        "BERTBUILD_INDEX_URL": ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"),
        "BERTBUILD_PIP_CONF": ("PIP_CONFIG_FILE",),
    }.items():
        value = next((env[other] for other in (name, *others) if env.get(other)), None)
        if value is not None:
            env[name] = value
    packages = unlocked(backend)
    # What credentials it has go into the build as a secret, which compose.yaml takes from the variable itself.
    return env | ({packages.argument: bare(packages.index)} if packages is not None else {})


def run_lines(command: list[str], *, env: dict[str, str], on_line: OnLine, children: Children) -> int:
    """Run a command, passing on each line of its output; returns its exit code."""
    with children.start(command, env=env, cwd=ROOT, stderr=subprocess.STDOUT) as process:
        for line in process.stdout or ():
            on_line(line.decode("utf-8", errors="replace").rstrip())
        return process.wait()


def remedy(output: str) -> str:
    """What helps against what docker says, "" where that is not known."""
    return next((what for signs, what in REMEDIES if any(sign in output for sign in signs)), "")


def _unlocked_missing(backend: str, output: str) -> str:
    """Where packages come from that no lock file holds, if it is them that a failed build lacked."""
    packages = unlocked(backend)
    return packages.sentence if packages is not None and UNLOCKED_MISSING in output else ""
