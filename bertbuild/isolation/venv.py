"""Stages in virtual environments: no container engine needed, and no confinement either.

uv makes each environment from the same hash-locked file the image is made from. The stage sees a clean environment, a
private temporary folder and its inputs; unlike in a container, nothing keeps it from the network or other files.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertbuild import keys as key
from bertbuild.backends import BACKENDS, lock_file
from bertbuild.closure import module_of
from bertbuild.errors import (
    EnvironmentBuildError,
    InterpreterMissingError,
    Lacking,
    OfflineError,
    StageError,
    StageKilledForMemoryError,
)
from bertbuild.files.disk import full_disk_told, raise_if_full
from bertbuild.files.locking import exclusive
from bertbuild.graph.processor import LIMIT, has_avx
from bertbuild.isolation.base import OnEvent, OnLine, StageRun, log_tail
from bertbuild.isolation.cached import Uncached, in_words, lacking_packages, locked_packages, unlocked_packages
from bertbuild.isolation.fetching import CERTIFICATES, Fetcher, find_uv
from bertbuild.isolation.interpreters import find_interpreter
from bertbuild.isolation.process import Children, run_logged
from bertbuild.isolation.unlocked import Unlocked, installed_digest, package_of, unlocked
from bertbuild.isolation.workers import Worker, cluster, free_ports, run_together, worker_folder, worker_log
from bertbuild.json_text import parse_json
from bertbuild.stages import code_of

if TYPE_CHECKING:
    from bertbuild.isolation.forking import ForkServers

SITE = Path(__file__).parent / "site"
"""Has the sitecustomize.py of all environments."""

MARKER = "bertbuild.json"
WAITS = "bertbuild-waits"
"""As docker/common/turn.py has it."""

PASSED_ON = ("LANG", "TZ", "OMP_NUM_THREADS", "LD_LIBRARY_PATH", LIMIT)
NO_ROOM = ("bad_alloc", os.strerror(errno.EAGAIN))
"""What the C++ library says before it ends a program that got no memory, or could not start a thread."""

NETWORK = (
    "Check the network, the index settings (UV_INDEX_URL, SSL_CERT_FILE) and that uv's cache can be written "
    "(UV_CACHE_DIR), then try again."
)


class VenvIsolation:
    """Runs stages in virtual environments kept below one folder."""

    name = "venv"
    has_turns = True

    def __init__(self, folder: Path, *, offline: bool = False) -> None:
        self._folder = folder
        self._offline = offline
        self._children = Children()
        self._servers: ForkServers | None = None
        self._servers_lock = threading.Lock()
        self._why_not: dict[str, str] = {}

    def end(self) -> None:
        """See `Isolation.end`."""
        self._children.end()
        with self._servers_lock:
            if self._servers is not None:
                self._servers.end()

    def sweep(self, works: Path, locks: Path) -> None:
        """See `Isolation.sweep`: a stage's process dies with the host that started it (docker/common/stage.py)."""

    def require(self) -> None:
        """See `Isolation.require`: it is each backend's Python that may be missing (`can_have`)."""

    def is_ready(self, backend: str) -> bool:
        """Whether the environment of today's lock file exists and still holds just what was locked."""
        path = self._path(backend)
        try:
            marker = parse_json((path / MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        whole = isinstance(marker, dict) and {"lock", "python", "packages"} <= marker.keys()
        return whole and bool(marker["packages"] == installed(path)) and (path / "bin" / "python").exists()

    def environment(self, backend: str) -> dict[str, str]:
        """Lock file, interpreter, machine type; and origin and bytes of packages that the lock file does not hold."""
        marker = parse_json((self._path(backend) / MARKER).read_text(encoding="utf-8"))
        facts = {"lock": marker["lock"], "python": marker["python"], "machine": os.uname().machine}
        return facts | ({"unlocked": marker["unlocked"]} if "unlocked" in marker else {})

    def dependencies(self, backend: str) -> list[dict[str, Any]]:
        """The interpreter."""
        facts = self.environment(backend)
        uri = f"pkg:generic/python@{facts['python']}"
        return [{"name": "python", "uri": uri, "annotations": {"machine": facts["machine"]}}]

    def by_hand(self) -> list[str]:
        """See `Isolation.by_hand`."""
        return []

    def can_have(self, backend: str, on_line: OnLine | None) -> bool:
        """See `Isolation.can_have`: it is the Python of the backend's version that a machine may lack."""
        if self.is_ready(backend):
            return True
        version = BACKENDS[backend].python
        telling = on_line or _nobody
        fetcher = Fetcher(folder=self._folder, offline=self._offline, children=self._children, on_line=telling)
        try:
            find_interpreter(version, fetcher if on_line else None)
        except InterpreterMissingError as error:
            self._why_not[backend] = error.details
            return on_line is None and not fetcher.barred(version) and bool(fetcher.offered_by(version))
        return True

    def why_not(self, backend: str) -> str:
        """See `Isolation.why_not`: why uv could not fetch the Python."""
        return self._why_not.get(backend, "")

    def lacks(self, backend: str) -> tuple[Lacking, ...]:
        """See `Isolation.lacks`: the Python, and packages that uv's cache has not."""
        if self.is_ready(backend):
            return ()
        found = []
        try:
            find_interpreter(BACKENDS[backend].python)
        except InterpreterMissingError as error:
            what = f"Python {BACKENDS[backend].python} (of {backend})"
            found.append(Lacking(what=what, get=error.next_step.rstrip(".")))
        uncached = lacking_packages(backend, BACKENDS[backend].python)
        return (*found, *([_packages(backend, uncached)] if uncached else []))

    def require_obtainable(self, backend: str) -> None:
        """See `Isolation.require_obtainable`; without the network `lacks` tells what is missing."""
        if not self._offline and unlocked(backend) is not None:
            from bertbuild.isolation.package_index import require_index  # takes long to load

            require_index(backend, EnvironmentBuildError)

    def prepare(self, backend: str, on_line: OnLine) -> None:
        """Make the environment; one that was broken off is made again, one that another process makes is waited for.

        Raises:
            InterpreterMissingError: no Python of the backend's version.
            EnvironmentBuildError: uv failed; the details are its last lines.
            OfflineError: the network must not be used, and uv's cache has not all packages, or there is no such Python.
        """
        path = self._path(backend)
        waiting = f"another process is making the environment of {backend}; waiting for it"
        try:
            with (
                full_disk_told(self._folder),
                exclusive(self._folder / ".locks" / path.name, on_wait=lambda: on_line(waiting)),
            ):
                if not self.is_ready(backend):  # the other process may have made it
                    self._make(path, backend, on_line)
        except PermissionError as error:
            raise EnvironmentBuildError(
                f"{error.filename} cannot be written: {error.strerror}.",
                next_step="Fix its permissions, or keep virtual environments elsewhere with BERTBUILD_ENVIRONMENTS.",
            ) from error

    def _make(self, path: Path, backend: str, on_line: OnLine) -> None:
        _require_avx(backend)
        if self._offline and (lacking := self.lacks(backend)):
            raise OfflineError(lacking)
        fetcher = Fetcher(folder=self._folder, children=self._children, on_line=on_line)
        interpreter, version = find_interpreter(BACKENDS[backend].python, None if self._offline else fetcher)
        on_line(f"Python {version} at {interpreter}")
        # A virtual environment knows its own path, so it is made in place; the marker, written last, makes it count.
        if path.exists():
            import shutil

            shutil.rmtree(path)
        uv = find_uv()
        self._uv([uv, "venv", "--python", str(interpreter), str(path)], backend, on_line)
        install = [uv, "pip", "install", "--python", str(path / "bin" / "python")]
        self._uv([*install, *locked_packages(backend)], backend, on_line)
        marker: dict[str, Any] = {"lock": _lock_digest(backend), "python": version}
        packages = unlocked(backend)
        if packages is not None:
            marker["unlocked"] = self._install_unlocked(path, packages, backend, on_line)
        marker["packages"] = installed(path)
        temporary = path / (MARKER + ".new")
        temporary.write_text(json.dumps(marker, indent=1, sort_keys=True), encoding="utf-8")
        temporary.replace(path / MARKER)

    def _install_unlocked(self, path: Path, packages: Unlocked, backend: str, on_line: OnLine) -> str:
        """Install packages that the lock file does not hold beside those it does; returns the digest of both."""
        locked = installed(path)
        constraints = path / "constraints.txt"
        constraints.write_text("\n".join(locked), encoding="utf-8")
        command = [find_uv(), "pip", "install", "--python", str(path / "bin" / "python")]
        command += ["--constraints", str(constraints), *unlocked_packages(packages)]
        self._uv(command, backend, on_line, remedy=packages.sentence)
        constraints.unlink()
        (site_packages,) = path.glob("lib/python3*/site-packages")
        return key.digest({"from": packages.digest(), "installed": installed_digest(site_packages, locked)})

    def _fork_servers(self) -> ForkServers:
        """Loaded for the first stage: most builds run none."""
        from bertbuild.isolation.forking import ForkServers

        with self._servers_lock:
            if self._servers is None:
                self._servers = ForkServers()
            return self._servers

    def expect(self, backend: str, code: str, stage: str) -> None:
        """See `Isolation.expect`: what the stage imports and takes long is imported from now on."""
        if self.is_ready(backend):
            import tempfile

            temporary = Path(tempfile.gettempdir())  # a stage that is forked then has its own
            env = self._variables(backend, temporary, temporary)
            python = str(self._path(backend) / "bin" / "python")
            self._fork_servers().expect(python, code or backend, stage, env, path=str(SITE))

    def run(self, run: StageRun, on_event: OnEvent) -> None:
        """Run `python -m stages.NAME` with a clean environment; see `Isolation.run`."""
        _require_avx(run.backend)
        if run.workers == 1:
            worker = self._worker(run, 0)
            code = run_logged(
                worker.command,
                env=worker.env,
                cwd=worker.cwd,
                log=worker.log,
                on_event=_with_turn(run, Path(worker.env["TMPDIR"]), on_event) if run.turn else on_event,
                children=self._children,
                fork=self._fork_servers().fork_of(run, worker, path=str(SITE)),
            )
            log = worker.log
        else:
            addresses = [f"127.0.0.1:{port}" for port in free_ports(run.workers)]
            workers = [self._worker(run, index, TF_CONFIG=cluster(addresses, index)) for index in range(run.workers)]
            decided, code = run_together(workers, on_event, self._children)
            log = workers[decided].log
        if code == -signal.SIGKILL:
            raise StageKilledForMemoryError(
                f"The stage {run.stage} was killed (SIGKILL), which the system does when memory runs out.",
                next_step="Close other programs, use a machine with more memory, or a smaller model.",
                details=log_tail(log),
            )
        if code == -signal.SIGABRT and any(word in log_tail(log) for word in NO_ROOM):
            raise StageKilledForMemoryError(
                f"The stage {run.stage} ended itself (SIGABRT): the system gave it no memory, or no further thread.",
                next_step="Close other programs, raise the limits that it runs under (ulimit -v, ulimit -u, those of a "
                "cgroup), or use a machine with more memory.",
                details=log_tail(log),
            )
        if code == -signal.SIGTERM:
            raise StageError(
                f"The stage {run.stage} was ended from outside (SIGTERM).",
                next_step="Run the same command again; finished steps are kept.",
                details=log_tail(log),
            )
        if code != 0:
            raise StageError(
                f"The stage {run.stage} failed with exit code {code}{_signal(code)}.",
                next_step=f"Its whole log: {log}",
                details=log_tail(log),
            )

    def _worker(self, run: StageRun, index: int, **more: str) -> Worker:
        """How one of a stage's processes is started; most stages have just one, number 0."""
        folder = worker_folder(run, index)
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        code = folder / "code"
        lay_out(code_of(run.code or run.backend, run.stage), code)
        command = [
            str(self._path(run.backend) / "bin" / "python"),
            "-m",
            module_of(run.stage),
            *(f"--{name}={path}" for name, path in run.inputs.items()),
            *(f"--{name}={value}" for name, value in run.params.items()),
            *([f"--unfinished={run.unfinished}"] if run.unfinished else []),
            f"--out={folder / 'out'}",
        ]
        variables = self._variables(run.backend, temporary, code) | more
        return Worker(command=command, env=variables, cwd=code, log=worker_log(run, index))

    def _variables(self, backend: str, temporary: Path, code: Path) -> dict[str, str]:
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return variables | {
            "PATH": f"{self._path(backend) / 'bin'}:/usr/bin:/bin",
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "PYTHONPATH": f"{code}:{SITE}",  # programs that a stage starts find its code by it
            "CI": "true",  # OpenVINO sends usage data from every import, unless in CI
            "PYTHONHASHSEED": "0",
            "PYTHONNOUSERSITE": "1",
            "BERTBUILD_PARENT": str(os.getpid()),
        }

    def _path(self, backend: str) -> Path:
        digest, packages = _lock_digest(backend), unlocked(backend)
        if packages is not None:
            digest = key.digest([digest, packages.digest()])
        return self._folder / f"{backend}-{digest[:16]}"

    def _uv(self, command: list[str], backend: str, on_line: OnLine, remedy: str = NETWORK) -> None:
        environment = dict(os.environ)
        environment.pop("VIRTUAL_ENV", None)
        if self._offline:
            environment["UV_OFFLINE"] = "1"
        if any(environment.get(name) for name in CERTIFICATES):
            environment.setdefault("UV_SYSTEM_CERTS", "1")
        lines = []
        try:
            with self._children.start(command, env=environment, stderr=subprocess.STDOUT) as process:
                for line in process.stdout or ():
                    lines.append(line.decode("utf-8", errors="replace").rstrip())
                    on_line(lines[-1])
        except FileNotFoundError as error:
            raise EnvironmentBuildError(
                f"uv cannot be started: {error.strerror}.", next_step="Install it: pip install uv"
            ) from error
        if process.returncode != 0:
            failure = EnvironmentBuildError(
                f"The virtual environment of {backend} could not be made.",
                next_step=remedy,
                details="\n".join(lines[-20:]),
            )
            raise_if_full(failure, self._folder)
            if self._offline and (words := in_words(failure.details)):
                raise OfflineError([_packages(backend, Uncached(words=words))]) from failure
            raise failure


def _signal(code: int) -> str:
    """The name of the signal that ended a process, behind its exit code; "" where none did."""
    with contextlib.suppress(ValueError):
        return f" ({signal.Signals(-code).name})" if code < 0 else ""
    return ""


def _require_avx(backend: str) -> None:
    """TensorFlow ends itself (SIGABRT) when it is imported on a processor without AVX: refuse before that.

    Raises:
        EnvironmentBuildError: the processor has none, and the backend has TensorFlow.
    """
    if BACKENDS[backend].avx and not has_avx():
        raise EnvironmentBuildError(
            f"This machine's processor has no AVX, which TensorFlow's packages need; {backend} has TensorFlow.",
            next_step="Use a machine whose processor has AVX, as x86-64 servers have since 2012.",
        )


def _packages(backend: str, uncached: Uncached) -> Lacking:
    return Lacking(
        what=f"packages of {backend}",
        get=f"invoke images --isolation venv --backend {backend}",
        details=uncached.words,
        parts=uncached.packages,
    )


def _with_turn(run: StageRun, temporary: Path, on_event: OnEvent) -> OnEvent:
    """A listener that lets a stage measure when it is its turn (docker/common/turn.py): a file goes."""
    waiting = temporary / WAITS
    waiting.touch()

    def listen(event: dict[str, Any]) -> None:
        if event["event"] != "ready":
            on_event(event)
        elif run.turn is not None:
            run.turn()
            waiting.unlink()

    return listen


def lay_out(code: Mapping[str, Path], folder: Path) -> None:
    """Make a folder that a stage can import its code from, and no other code of ours: links to the files, by name.

    A module that its key does not tell of is not there to be imported.
    """
    for name, path in code.items():
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)


def installed(environment: Path) -> list[str]:
    """`name==version` of every package in a virtual environment, sorted, as its dist-info folders tell."""
    folders = environment.glob("lib/python3*/site-packages/*.dist-info")
    return sorted(filter(None, (package_of(folder.name) for folder in folders)))


def _nobody(_line: str) -> None:
    """Tell nobody."""


def _lock_digest(backend: str) -> str:
    return hashlib.sha256(lock_file(backend).read_bytes()).hexdigest()
