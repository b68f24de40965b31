"""What the Docker engine knows: whether it answers, which images it has, how a container ended.

A build that has nothing to do asks only for image ids. Where the engine listens on a Unix socket, as it mostly
does, that goes by plain HTTP from the standard library (https://docs.docker.com/engine/api/); all else goes through the
Docker SDK for Python, which takes longer to import than such a build may last.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from bertbuild.errors import EngineError, Lacking, OfflineError
from bertbuild.isolation.sockets import usual_socket
from bertbuild.json_text import parse_json

TIMEOUT_SECONDS = 10.0
NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image the engine has.

    Attributes:
        id: "sha256:…".
        labels: by name.
        platform: "linux/amd64", for example.
        names_pulled: "registry/name@sha256:…" of each name that a registry gave it by.
        layers: the digests of their contents, the lowest first.
    """

    id: str
    labels: dict[str, str]
    platform: str = ""
    names_pulled: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEnd:
    """How a container ended.

    Attributes:
        exit_code: of its first process; 128 + n where signal n ended it.
        out_of_memory: the kernel killed something in it because `memory_limit` was reached.
        memory_limit: in bytes; 0 for none.
    """

    exit_code: int
    out_of_memory: bool
    memory_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine.

    Attributes:
        name: "Docker" or "Podman".
        version: its own.
        rootless: whether it runs as a user who is not root. The root of its containers is that user then, and files
            that another user of a container writes belong to nobody here.
        cpus: how many processors it has; 0 where it does not tell.
        architecture: of its machine, as "x86_64" or "aarch64"; "" where it does not tell.
    """

    name: str
    version: str
    rootless: bool
    cpus: int = 0
    architecture: str = ""

    def __str__(self) -> str:
        """For people."""
        return f"{self.name} {self.version}" + (", rootless" if self.rootless else "")


def endpoint() -> str:
    """Where the engine listens, found as docker itself does: DOCKER_HOST, then the context, then a usual socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, RuntimeError):  # a user without a home
        folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
        context = os.environ.get("DOCKER_CONTEXT")
        context = context or parse_json((folder / "config.json").read_bytes())["currentContext"]
        if context != "default":
            meta = folder / "contexts" / "meta" / hashlib.sha256(context.encode()).hexdigest() / "meta.json"
            return str(parse_json(meta.read_bytes())["Endpoints"]["docker"]["Host"])
    return f"unix://{usual_socket()}"


def on_the_network() -> bool:
    """Whether the engine is reached over the network: by anything but a Unix socket."""
    return "://" in endpoint() and not endpoint().startswith("unix://")


def require_local() -> None:
    """Do nothing where the engine is reached by a Unix socket; it is asked nothing.

    Raises:
        OfflineError: it is reached over the network.
    """
    if on_the_network():
        what = f"a Docker engine on this machine (the one that is named, {endpoint()}, is reached over the network)"
        get = "Name one by its socket (DOCKER_HOST=unix:///var/run/docker.sock), or use --isolation venv"
        raise OfflineError([Lacking(what=what, get=get, fetched=False)])


def engine_answers() -> bool:
    """Whether an engine can be used right now; asks only, and never raises."""
    try:
        require_engine()
    except EngineError:
        return False
    return True


def require_engine() -> None:
    """Do nothing where an engine answers.

    Raises:
        EngineError: none does; the message says which of the usual reasons it is.
    """
    if _socket_path() is not None:
        _get("/_ping")
        return
    with _sdk() as client:
        client.ping()


def engine() -> Engine:
    """Which engine answers.

    Raises:
        EngineError: none can be asked.
    """
    return _engine(endpoint())


@cache
def _engine(_endpoint: str) -> Engine:
    if _socket_path() is not None:
        version, info = _asked("/version"), _asked("/info")
    else:
        with _sdk() as client:
            version, info = client.version(), client.info()
    first: dict[str, Any] = next(iter(version.get("Components") or ()), {})
    is_podman = str(first.get("Name", "")).startswith("Podman")
    rootless = any("name=rootless" in option for option in info.get("SecurityOptions") or ())
    if is_podman and not rootless and _socket_path() is not None:  # Podman 4.3 tells it by its own interface alone
        rootless = bool(_asked("/v4.0.0/libpod/info").get("host", {}).get("security", {}).get("rootless"))
    number = str(version.get("Version") or info.get("ServerVersion") or "")
    return Engine(
        name="Podman" if is_podman else "Docker",
        version=number,
        rootless=rootless,
        cpus=int(info.get("NCPU") or 0),
        architecture=str(info.get("Architecture") or ""),
    )


def image(name: str) -> Image | None:
    """The image of that name, or None where the engine has none.

    Raises:
        EngineError: the engine cannot be asked.
    """
    if _socket_path() is not None:
        body = _get(f"/images/{quote(name)}/json")
        facts = None if body is None else parse_json(body)
    else:
        with _sdk() as client:
            found = client.images.list(name=name)
            facts = found[0].attrs if found else None
    if facts is None:
        return None
    return Image(
        id=facts["Id"],
        labels=facts["Config"].get("Labels") or {},
        platform=f"{facts.get('Os', '')}/{facts.get('Architecture', '')}",
        names_pulled=tuple(facts.get("RepoDigests") or ()),
        layers=tuple((facts.get("RootFS") or {}).get("Layers") or ()),
    )


def why_not_pulled(name: str) -> str:
    """Why the engine cannot pull an image, in the engine's words; "" where it can. Nothing is pulled."""
    try:
        with _sdk() as client:
            client.images.get_registry_data(name)
    except EngineError as error:
        words = " ".join((error.details or str(error)).split())
        return words.partition('("')[2].rstrip('")') or words  # what the SDK puts into brackets is the engine's
    return ""


def container_end(name: str) -> ContainerEnd | None:
    """How the container of that name ended, or None where there is no such container.

    Raises:
        EngineError: the engine cannot be asked.
    """
    with _sdk() as client:
        for container in client.containers.list(all=True, filters={"name": f"^/?{name}$"}):
            state = container.attrs["State"]
            return ContainerEnd(
                exit_code=state["ExitCode"],
                out_of_memory=state["OOMKilled"],
                memory_limit=container.attrs["HostConfig"]["Memory"],
            )
    return None


def remove_container(name: str) -> None:
    """Kill the container of that name if it runs, and remove it; nothing where there is none.

    Raises:
        EngineError: the engine cannot be asked, or did not do it.
    """
    with _sdk() as client:
        for container in client.containers.list(all=True, filters={"name": f"^/?{name}$"}):
            container.remove(force=True, v=True)


def values_of(label: str) -> set[str]:
    """The values of a label that containers have, running or not.

    Raises:
        EngineError: the engine cannot be asked.
    """
    with _sdk() as client:
        found = client.containers.list(all=True, filters={"label": label}, sparse=True)
        return {container.attrs["Labels"][label] for container in found}


def remove_network(name: str) -> None:
    """Remove the network of that name; nothing where there is none.

    Raises:
        EngineError: the engine cannot be asked, or did not do it.
    """
    with _sdk() as client:
        for network in client.networks.list(filters={"name": f"^{name}$"}):
            network.remove()


@contextlib.contextmanager
def _sdk() -> Iterator[Any]:
    """A client of the Docker SDK, whose errors come out as `EngineError`."""
    docker = importlib.import_module("docker")
    try:
        client = docker.DockerClient.from_env(environment={**os.environ, "DOCKER_HOST": endpoint()})
        with contextlib.closing(client):
            yield client
    except (docker.errors.DockerException, OSError) as error:
        _refuse(_root_cause(error))


def _root_cause(error: BaseException) -> BaseException:
    """The operating system's own error where one lies under those of the SDK and its HTTP libraries."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, FileNotFoundError | PermissionError | ConnectionRefusedError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _socket_path() -> str | None:
    address = endpoint()
    return address.removeprefix("unix://") if address.startswith("unix://") else None


def _get(path: str) -> bytes | None:
    """GET over the engine's socket; None for "not found"."""
    connection = _SocketConnection(_socket_path() or "")
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        _refuse(error)
    finally:
        connection.close()
    if response.status == NOT_FOUND:
        return None
    if response.status != http.client.OK:
        _refuse(RuntimeError(body.decode("utf-8", errors="replace")))
    return body


def _asked(path: str) -> dict[str, Any]:
    """A JSON object that the engine gives over its socket; an empty one for "not found"."""
    found = parse_json(_get(path) or b"{}")
    return found if isinstance(found, dict) else {}


def _refuse(error: BaseException) -> NoReturn:
    """Say in words why the engine cannot be used.

    Raises:
        EngineError: always.
    """
    where = endpoint()
    otherwise = "Or build without Docker: --isolation venv."
    if isinstance(error, FileNotFoundError) and shutil.which("docker") is None:
        message = "Docker is not installed on this machine."
        next_step = f"Install Docker with its Compose plug-in (https://docs.docker.com/engine/install/). {otherwise}"
    elif isinstance(error, FileNotFoundError):
        message = f"No Docker engine runs here: there is nothing at {where}."
        next_step = (
            "Start it (sudo systemctl start docker, or Docker Desktop), or name another with DOCKER_HOST or "
            f"docker context use. {otherwise}"
        )
    elif isinstance(error, PermissionError):
        message = f"This user may not talk to the Docker engine at {where}."
        next_step = f"Join its group (sudo usermod -aG docker $USER), log in again, and repeat. {otherwise}"
    elif isinstance(error, ConnectionRefusedError):
        message = f"The Docker engine at {where} is not running: its address is there, and nobody listens."
        next_step = f"Start it: sudo systemctl start docker. {otherwise}"
    elif isinstance(error, TimeoutError):
        message = f"The Docker engine at {where} did not answer within {TIMEOUT_SECONDS:.0f} seconds."
        next_step = f"See what it is doing (sudo journalctl -u docker), or restart it. {otherwise}"
    else:
        message = f"The Docker engine at {where} could not be used."
        next_step = f"See what docker info says. {otherwise}"
    raise EngineError(message, next_step=next_step, details=str(error)) from error
