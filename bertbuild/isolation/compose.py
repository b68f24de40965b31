"""Stages in containers, confined as compose.yaml says: no network, read-only root, no capabilities, caller's uid.

compose.yaml is the one truth on images and confinement; this module only fills in its variables. A stage sees its
inputs under /in (read-only) and its own work folder, nothing else of the host.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any, NoReturn

from bertbuild import project
from bertbuild.backends import BACKENDS
from bertbuild.errors import (
    EngineError,
    ImageBuildError,
    Lacking,
    OfflineError,
    StageError,
    StageKilledForMemoryError,
)
from bertbuild.files.locking import if_free
from bertbuild.isolation import docker_engine
from bertbuild.isolation.base import OnEvent, OnLine, StageRun, log_tail
from bertbuild.isolation.compose_file import build_by_hand, compose_command, compose_environment
from bertbuild.isolation.image_builds import build_image, remedy
from bertbuild.isolation.images import BASE_LABEL, SOURCE_LABEL, facts, image_name, source_digest
from bertbuild.isolation.limits import require_limits
from bertbuild.isolation.mounts import let_read, mounts, owner
from bertbuild.isolation.process import Children, run_logged
from bertbuild.isolation.unlocked import unlocked
from bertbuild.isolation.workers import Worker, cluster, run_together, worker_folder, worker_log
from bertbuild.project import ROOT

ENV_FILE = ROOT / ".env"
"""Where Compose looks for variables."""

KILLED = 137
"""128 + SIGKILL."""

ILLEGAL = 132
"""128 + SIGILL."""

NO_AVX = "was compiled to use AVX"
"""What TensorFlow says before it ends itself on a processor without AVX."""

TOLD_TO_END = 143
"""128 + SIGTERM."""

PLATFORM = "linux/amd64"
"""Of all images, as compose.yaml says."""

EMULATED = "DOCKER_DEFAULT_PLATFORM"
"""Docker's own variable, by which people say that a machine of another kind emulates that."""

PROJECT = "bertbuild-stages"
"""The Compose project of stages: another than that of compose.yaml, whose containers `docker compose down` ends."""

WORK_LABEL = "org.bertbuild.work"
"""Of a container: its stage's work folder; it is left behind where nobody holds that folder's lock."""

WORKERS_NETWORK = "workers"
"""compose.yaml's name for the network that joins the containers of one stage, and nothing else."""

WORKERS_PORT = 2222
"""At which each worker listens, inside that network."""


class ComposeIsolation:
    """Runs each stage in its backend's image by `docker compose run`."""

    has_turns = False

    def __init__(self, *, offline: bool = False, store: Path | None = None) -> None:
        """`store`: where what bertbuild made itself lies."""
        self._offline = offline
        self._store = store
        self._children = Children()

    def end(self) -> None:
        """See `Isolation.end`."""
        self._children.end()

    @property
    def name(self) -> str:
        """What people and records call it."""
        return "docker"

    def expect(self, backend: str, code: str, stage: str) -> None:
        """See `Isolation.expect`: containers share no process."""

    def sweep(self, works: Path, locks: Path) -> None:
        """See `Isolation.sweep`: containers that have the label of such a folder, one or several of each."""
        with contextlib.suppress(EngineError):  # whoever runs the stage again looks again
            for work in map(Path, docker_engine.values_of(WORK_LABEL)):
                if work.parent == works:
                    with if_free(locks / work.name) as free:
                        if free:
                            docker_engine.remove_container(f"{_container_name(work)}(-.*)?")

    def require(self) -> None:
        """See `Isolation.require`.

        Raises:
            EngineError: no engine answers, or one of a machine that has no packages of these versions.
            UsageError: more processors are asked for than it has.
        """
        docker_engine.require_engine()
        engine = docker_engine.engine()
        require_limits(engine.cpus)
        if engine.architecture not in ("", "x86_64", "amd64") and os.environ.get(EMULATED) != PLATFORM:
            raise EngineError(
                f"The Docker engine's machine is {engine.architecture}, and the images are for {PLATFORM}: TensorFlow "
                "1.15.5 has packages for no other.",
                next_step="Name one on an x86-64 machine (DOCKER_HOST, or docker context use); or, where this one "
                f"emulates it with AVX, say so: {EMULATED}={PLATFORM}.",
            )

    def is_ready(self, backend: str) -> bool:
        """Whether the image is there and was built of the sources as they are now.

        Raises:
            EngineError: no engine answers.
        """
        image = docker_engine.image(image_name(backend))
        labels = {} if image is None else image.labels
        return labels.get(SOURCE_LABEL) == source_digest(backend) and bool(labels.get(BASE_LABEL))

    def can_have(self, backend: str, on_line: OnLine | None) -> bool:  # noqa: ARG002 - the protocol's
        """See `Isolation.can_have`: an engine can build every image; offline, `lacks` names the one that is missing."""
        return True

    def why_not(self, backend: str) -> str:  # noqa: ARG002 - the protocol's
        """See `Isolation.why_not`: nothing was tried."""
        return ""

    def lacks(self, backend: str) -> tuple[Lacking, ...]:
        """See `Isolation.lacks`: the image, which a build makes of what it fetches.

        Raises:
            EngineError: no engine answers.
        """
        return () if self.is_ready(backend) else (_image(backend),)

    def require_obtainable(self, backend: str) -> None:
        """See `Isolation.require_obtainable`; without the network `lacks` tells what is missing."""
        if not self._offline and unlocked(backend) is not None:
            from bertbuild.isolation.package_index import require_index  # takes long to load

            require_index(backend, ImageBuildError)

    def prepare(self, backend: str, on_line: OnLine) -> None:
        """Build the image; what the build says is passed on line by line.

        Raises:
            EngineError: no engine answers, or one of another kind of machine.
            ImageBuildError: the build failed; its details are the build's last lines.
            OfflineError: the network must not be used, which a build does.
        """
        self.require()
        if self._offline:
            raise OfflineError([_image(backend)])
        build_image(backend, on_line, self._children)

    def environment(self, backend: str) -> dict[str, str]:
        """What the backend's image is made of, not its id: made again, or on another machine, it counts as the same.

        Raises:
            EngineError: no engine answers, or it has no such image.
        """
        return facts(backend, _built(backend))

    def dependencies(self, backend: str) -> list[dict[str, Any]]:
        """The image by its id, with the names that a registry gave it by; and its base."""
        image = _built(backend)
        entry: dict[str, Any] = {"name": "image", "digest": {"sha256": image.id.removeprefix("sha256:")}}
        if image.names_pulled:
            entry["annotations"] = {"pulled": list(image.names_pulled)}
        base = image.labels.get(BASE_LABEL, "").removeprefix("sha256:")
        return [entry, *([{"name": "base image", "digest": {"sha256": base}}] if base else [])]

    def by_hand(self) -> list[str]:
        """See `Isolation.by_hand`; tells Compose who runs it, which it cannot find out, so that results are theirs."""
        who = ""
        if project.IS_INSTALLED:  # where nothing is written beside compose.yaml
            ids = "BERTBUILD_UID=0 BERTBUILD_GID=0" if _is_mapped() else "BERTBUILD_UID=$(id -u) BERTBUILD_GID=$(id -g)"
            who = f"BERTBUILD_ARTIFACTS=$PWD/artifacts {ids} "
        elif not ENV_FILE.exists() and os.getuid() != 0:
            uid, gid = _container_user((os.getuid(), os.getgid()))
            ENV_FILE.write_text(f"BERTBUILD_UID={uid}\nBERTBUILD_GID={gid}\n", encoding="utf-8")
        return [f"by hand: {who}{project.compose()} run --rm data freeze --checkpoint=artifacts/… --out=artifacts/…"]

    def run(self, run: StageRun, on_event: OnEvent) -> None:
        """Run a stage in a container of its own, which is gone afterwards, however this ends.

        Raises:
            EngineError: the container could not be started.
            StageError: the stage ended with an error; the details are the last lines of its log.
            StageKilledForMemoryError: it was killed because it reached its memory limit.
        """
        name = _container_name(run.work)
        containers = [name, *(f"{name}-{index}" for index in range(1, run.workers))]
        _remove(run, name, containers)
        let_read((source for flag, path in run.inputs.items() for source, _ in mounts(flag, path)), self._store)
        folders = [worker_folder(run, index) for index in range(run.workers)]
        with owner(run.work, run.unfinished) as caller:
            uid, gid = _container_user(caller)
            variables = {**compose_environment(run.backend), "BERTBUILD_UID": str(uid), "BERTBUILD_GID": str(gid)}
            workers = [
                Worker(
                    command=_command(run, name, containers, index),
                    env=variables | {"BERTBUILD_ARTIFACTS": str(folder)},
                    cwd=ROOT,
                    log=worker_log(run, index),
                )
                for index, folder in enumerate(folders)
            ]
            try:
                decided, code = _ended(run, name, workers, on_event, self._children)
                end = docker_engine.container_end(containers[decided])
            except FileNotFoundError as error:
                raise EngineError(
                    "The docker program is not installed on this machine.",
                    next_step="Install Docker's command line with its Compose plug-in, or build with --isolation venv.",
                ) from error
            finally:
                with contextlib.suppress(EngineError):  # the stage's own fate matters more than a container left behind
                    _remove(run, name, containers)
        if code != 0:
            _fail(run, code, end, workers[decided].log)


def _container_name(work: Path) -> str:
    """Named for its work folder, so that a container a killed host left behind is found by whoever comes next."""
    return f"bertbuild-{hashlib.sha256(str(work).encode()).hexdigest()[:16]}"


def _built(backend: str) -> docker_engine.Image:
    """A backend's image.

    Raises:
        EngineError: no engine answers, or it has no such image.
    """
    image = docker_engine.image(image_name(backend))
    if image is None:
        raise EngineError(
            f"The image {image_name(backend)} is not built.",
            next_step=f"Build it: {build_by_hand(backend)}.",
        )
    return image


def _image(backend: str) -> Lacking:
    get = f"invoke images --isolation docker --backend {backend} (or docker load one made of this checkout)"
    return Lacking(what=f"image {image_name(backend)}", get=get)


def _container_user(caller: tuple[int, int]) -> tuple[int, int]:
    """Who a stage is inside its container, so that what it writes is the caller's (uid and gid).

    Where the engine runs without root, that is the container's root, who has no more rights than the caller has.
    """
    return (0, 0) if _is_mapped() else caller


def _is_mapped() -> bool:
    """Whether the root of a container is the caller outside it."""
    return os.getuid() != 0 and docker_engine.engine().rootless


def _command(run: StageRun, name: str, containers: list[str], index: int) -> list[str]:
    """Compose's command line for one of a stage's containers; most stages have just one, number 0."""
    command = [*compose_command(), *_project(run, name), "run", "-T", "--no-deps", "--name", containers[index]]
    command += ["--label", f"{WORK_LABEL}={run.work}"]
    for flag, path in run.inputs.items():
        for source, target in mounts(flag, path):
            command += ["--volume", f"{source}:{target}:ro"]
    if run.unfinished:
        command += ["--volume", f"{run.unfinished.resolve()}:/unfinished"]
    if run.workers > 1:
        addresses = [f"{container}:{WORKERS_PORT}" for container in containers]
        command += ["--env", f"TF_CONFIG={cluster(addresses, index)}"]
    command += [
        _service(run),
        run.stage if run.code in ("", BACKENDS[run.backend].folder) else f"{run.code}/{run.stage}",
    ]
    command += [f"--{flag}=/in/{flag}" for flag in run.inputs]
    command += [f"--{flag}={value}" for flag, value in run.params.items()]
    command += ["--unfinished=/unfinished"] if run.unfinished else []
    return [*command, "--out=/bertbuild/artifacts/out"]


def _service(run: StageRun) -> str:
    service = BACKENDS[run.backend].folder
    if run.workers > 1:
        return f"{service}-worker"
    return f"{service}-device" if run.device else service


def _project(run: StageRun, name: str) -> list[str]:
    """Several workers are a Compose project of their own, so that their network is theirs alone."""
    return ["--project-name", name if run.workers > 1 else PROJECT]


def _ended(run: StageRun, name: str, workers: list[Worker], on_event: OnEvent, children: Children) -> tuple[int, int]:
    """Run the containers; which of them decided how the stage ended, and the exit code."""
    if run.workers == 1:
        (one,) = workers
        code = run_logged(one.command, env=one.env, cwd=one.cwd, log=one.log, on_event=on_event, children=children)
        return 0, code
    _make_network(run, name, workers[0])
    return run_together(workers, on_event, children)


def _make_network(run: StageRun, name: str, worker: Worker) -> None:
    """Let Compose make the network of the workers before any of them starts: several at once would trip over it.

    Raises:
        EngineError: it could not be made.
    """
    command = [*compose_command(), *_project(run, name), "create", _service(run)]
    made = subprocess.run(command, env=worker.env, cwd=worker.cwd, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise EngineError(
            "The network that joins the workers could not be made.",
            next_step=f"See what docker says; {project.compose()} config shows what it was asked for.",
            details=made.stderr,
        )


def _remove(run: StageRun, name: str, containers: list[str]) -> None:
    for container in containers:
        docker_engine.remove_container(container)
    if run.workers > 1:
        docker_engine.remove_container(f"{name}-{_service(run)}-1")  # which came with the network
        docker_engine.remove_network(f"{name}_{WORKERS_NETWORK}")


def _fail(run: StageRun, code: int, end: docker_engine.ContainerEnd | None, log: Path) -> NoReturn:
    """Say in words how a stage went wrong.

    Raises:
        EngineError: there was no container at all.
        StageError: the stage ended with an error.
        StageKilledForMemoryError: it was killed because it reached its memory limit.
    """
    details = log_tail(log)
    if TOLD_TO_END in (code, end and end.exit_code):
        raise StageError(
            f"The stage {run.stage} was ended from outside (SIGTERM, exit {TOLD_TO_END}).",
            next_step="Something stopped its container: docker stop, docker compose down, or an engine that went down. "
            "Run the same command again; finished steps are kept.",
            details=details,
        )
    if end is None:
        raise EngineError(
            f"The container of stage {run.stage} could not be started (docker compose run ended with {code}).",
            next_step=remedy(details)
            or f"See what docker says; {project.compose()} config shows what it was asked for.",
            details=details,
        )
    if end.out_of_memory:
        raise StageKilledForMemoryError(
            f"The stage {run.stage} was killed because {_reached(end.memory_limit)} (exit {end.exit_code}).",
            next_step="Give it more, BERTBUILD_MEMORY=16g for example, or choose a smaller model.",
            details=details,
        )
    if end.exit_code == KILLED:
        raise StageError(
            f"The stage {run.stage} was killed from outside (exit {KILLED}), below its own memory limit.",
            next_step="If nobody killed it, the whole machine ran out of memory: run fewer stages at once, or use a "
            "machine with more.",
            details=details,
        )
    if NO_AVX in details or end.exit_code == ILLEGAL:
        raise StageError(
            f"The stage {run.stage} needs instructions that the engine's processor does not have (AVX; exit "
            f"{end.exit_code}).",
            next_step="Name an engine on a machine whose processor has AVX (DOCKER_HOST, or docker context use).",
            details=details,
        )
    raise StageError(
        f"The stage {run.stage} failed with exit code {end.exit_code}.",
        next_step=f"Its whole log: {log}",
        details=details,
    )


def _reached(limit: int) -> str:
    """What ran out, for a container with a memory limit in bytes; 0 for none."""
    return f"it reached its memory limit of {_size(limit)}" if limit else "the machine's memory ran out"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
