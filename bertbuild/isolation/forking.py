"""Stages forked from a process that has imported what takes long (`fork_server.py`), in virtual environments alone.

TensorFlow takes seconds of processor time to import. One process for each environment imports it once and forks for
each stage: own session, own variables, own folder, own code, which is imported after the fork. A stage that crashes
ends itself alone. Whatever keeps a server from forking, the stage is started by itself, as ever.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bertbuild.backends import BACKENDS
from bertbuild.closure import source
from bertbuild.isolation import fork_server
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.process import Fork
from bertbuild.isolation.workers import Worker
from bertbuild.stages import code_of

SECONDS = 30.0
"""For a fork, which takes milliseconds: a server that takes longer is not waited for."""

OWN = ("HOME", "TMPDIR", "PYTHONPATH")
"""Variables that each stage has of its own and that no import keeps; stages that differ in others share no server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """What a server imports before it forks.

    Attributes:
        python: the interpreter of the environment.
        modules: by their names, in this order.
        variables: set while they are imported, as a stage sets them itself.
        path: PYTHONPATH meanwhile.
    """

    python: str
    modules: tuple[str, ...]
    variables: Mapping[str, str]
    path: str


class ForkedProcess:
    """A forked stage, with what `subprocess.Popen` has of it.

    Attributes:
        pid: the leader of its own session and group.
        stdout: what it writes.
        returncode: as `subprocess` gives it, once it was waited for; that of SIGKILL where its server ended with it.
    """

    def __init__(self, pid: int, stdout: IO[bytes], told: IO[bytes]) -> None:
        self.pid, self.stdout = pid, stdout
        self.returncode: int | None = None
        self._told = told
        self._lock = threading.Lock()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; see `subprocess.Popen.wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise subprocess.TimeoutExpired("fork", timeout or 0.0)
        try:
            if self.returncode is None:
                left = None if end is None else max(0.0, end - time.monotonic())
                if not _can_be_read(self._told, left):
                    raise subprocess.TimeoutExpired("fork", timeout or 0.0)
                line = self._told.readline()
                self._told.close()
                code = _number(line, b"code")
                self.returncode = -signal.SIGKILL if code is None else code
            return self.returncode
        finally:
            self._lock.release()


class ForkServers:
    """The servers of one host, each started when its first stage comes."""

    def __init__(self) -> None:
        self._servers: dict[tuple[object, ...], _Server] = {}
        self._lock = threading.Lock()
        self._ending = False
        weakref.finalize(self, _end_all, self._servers)  # at the end of this host too

    def fork_of(self, run: StageRun, stage: Worker, path: str) -> Fork | None:
        """What forks a stage that would be started so; None where it is to start by itself.

        The server imports what the stage's own code imports and nothing more, so that no stage waits for what it does
        not use. Training, which takes long, depends on no other process. `path`: PYTHONPATH of the server.
        """
        imports = imports_of(run.code or run.backend, run.stage, stage.command[0], path)
        if imports is None or run.unfinished:
            return None
        server = self.ready(imports, stage.env)
        return server.fork if server else None

    def expect(self, python: str, backend: str, stage: str, env: Mapping[str, str], path: str) -> None:
        """Start the server of a stage that would run with these variables, and wait for nothing.

        `backend` is the one that has the stage's code, `path` as for `fork_of`.
        """
        imports = imports_of(backend, stage, python, path)
        if imports is not None:
            self._server(imports, env)

    def ready(self, imports: Imports, env: Mapping[str, str]) -> _Server | None:
        """The server for a stage with these variables, once it has imported; None where there can be none."""
        server = self._server(imports, env)
        return server if server and server.is_ready() else None

    def _server(self, imports: Imports, env: Mapping[str, str]) -> _Server | None:
        shared = {name: value for name, value in env.items() if name not in OWN}
        known = (imports.python, imports.modules, *sorted(shared.items()))
        with self._lock:
            if self._ending:
                return None
            server = self._servers.get(known)
            if server is None or server.has_ended:
                server = self._servers[known] = _Server(imports, env)
        return server

    def end(self) -> None:
        """End them all, and start none any more."""
        with self._lock:
            self._ending = True
        _end_all(self._servers)


def _end_all(servers: Mapping[tuple[object, ...], _Server]) -> None:
    for server in list(servers.values()):
        server.end()
    for server in list(servers.values()):
        server.keeper.join(SECONDS)  # what they and their stages took is counted as this process's


class _Server:
    def __init__(self, imports: Imports, env: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._is_ready: bool | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        words = [imports.python, str(Path(fork_server.__file__)), str(theirs.fileno()), *imports.modules]
        variables = {**env, **imports.variables, "PYTHONPATH": imports.path}
        # Linux ends the server with the thread that started it (PR_SET_PDEATHSIG): one that lives as long as this host.
        self.keeper = threading.Thread(target=self._keep, args=(words, variables, theirs), daemon=True)
        self.keeper.start()

    @property
    def has_ended(self) -> bool:
        """Whether it served and serves no more; one that never came to it is not tried again."""
        return self._ended and bool(self._is_ready)

    def is_ready(self) -> bool:
        """Whether it has imported all and can fork; waits for that."""
        with self._lock:
            if self._is_ready is None:
                with contextlib.suppress(OSError):
                    self._is_ready = self._control.recv(len(fork_server.READY)) == fork_server.READY
            return bool(self._is_ready) and not self._ended

    def fork(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, stderr: IO[bytes]
    ) -> ForkedProcess | None:
        """Start a stage, `python -m MODULE …`, from it; None where it does not come to that."""
        _, _, module, *words = command
        own = {name: env[name] for name in OWN}
        order = {"module": module, "words": words, "env": own, "cwd": str(cwd)}
        message = json.dumps(order).encode()
        if len(message) > fork_server.MOST:
            return None
        stdout, their_stdout = os.pipe()
        told, their_told = os.pipe()
        files = array.array("i", [their_stdout, stderr.fileno(), their_told])
        output, telling = os.fdopen(stdout, "rb"), os.fdopen(told, "rb", buffering=0)
        try:
            with self._lock:
                self._control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
            is_told = True
        except OSError:
            is_told = False  # it has ended
        finally:
            os.close(their_stdout)
            os.close(their_told)
        if is_told and _can_be_read(telling, SECONDS):
            if (pid := _number(telling.readline(), b"pid")) is not None:
                return ForkedProcess(pid, output, telling)
        elif is_told:
            self.end()  # or it might still begin what is begun otherwise now
        output.close()
        telling.close()
        return None

    def end(self) -> None:
        """Kill it, with the stages that it has forked."""
        self._ended = True
        if self._process is not None:
            self._process.kill()

    def _keep(self, words: Sequence[str], env: Mapping[str, str], theirs: socket.socket) -> None:
        with theirs, contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                words,
                env=dict(env),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        if self._process is not None:
            if self._ended:
                self._process.kill()
            self._process.wait()
        self._ended = True
        with self._lock:
            self._control.close()


def imports_of(backend: str, stage: str, python: str, path: str) -> Imports | None:
    """What a server of a stage imports; None where the stage imports nothing that takes long."""
    row = BACKENDS[backend]
    modules = imported(row.slow_imports, code_of(backend, stage).values())
    if not modules:
        return None
    return Imports(python=python, modules=modules, variables=dict(row.import_variables), path=path)


def imported(modules: Iterable[str], files: Iterable[Path]) -> tuple[str, ...]:
    """Those of some modules whose package is imported in any of these files."""
    packages = {name.partition(".")[0] for path in files for dots, name, _ in source(str(path)).imports if not dots}
    return tuple(module for module in modules if module.partition(".")[0] in packages)


def _can_be_read(file: IO[bytes], seconds: float | None) -> bool:
    """Whether a file has something, or its end, within some seconds; None for ever."""
    poll = select.poll()  # select.select knows no file numbers above 1023
    poll.register(file, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def _number(line: bytes, name: bytes) -> int | None:
    """The number of a whole line `NAME NUMBER`; None where it is another one."""
    word, _, number = line.partition(b" ")
    return int(number) if word == name and line.endswith(b"\n") else None
