"""`python fork_server.py SOCKET MODULE…`: imports modules once, then forks a process for each stage that it is told of.

It runs in a virtual environment, so it is Python 3.7 of the standard library; `forking.py` is its other side. It has
none of a stage's code, and does nothing between the imports and a fork but wait.

An order is one message of JSON, `{"module", "words", "env", "cwd"}`, and three open files: the stage's stdout, its
stderr, and where two lines are told: `pid N` once it leads a session of its own, and `code N`, as `subprocess` gives
it. `env` has the variables in which it differs from the server. A stage finds itself as `python -m MODULE` starts it,
but for the server as its parent (BERTBUILD_PARENT), with which it ends.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    del sys.path[0]  # this folder, whose modules are the host's

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import tempfile
from typing import Any

READY = b"ready"
MOST = 2**17
"""Bytes of an order, at most."""

IDLE_SECONDS = 30.0
"""After so long without a stage it ends: no memory is kept for what does not come."""


def main() -> None:
    """Import, serve, and be a stage in each process that is forked."""
    end_with_parent(int(os.environ["BERTBUILD_PARENT"]))
    control = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        importlib.import_module(module)
    if has_threads_of_others():
        sys.exit("a package keeps a thread of its own, which a fork would leave behind")
    gc.collect()
    gc.freeze()  # what is there stays shared: no collection in a stage writes to it
    control.send(READY)
    order = Server(control).serve()
    if order is None:
        os._exit(0)
    be_stage(order)


def end_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when the one that started it dies (prctl(2))."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(2)  # it died before we asked


def has_threads_of_others() -> bool:
    """Whether threads are left once a fork has ended those that are made for it, as OpenBLAS ends its own."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return len(os.listdir("/proc/self/task")) > 1  # noqa: PTH208 - a number alone


class Server:
    """The process that forks; it has no other thread."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._told: dict[int, int] = {}  # process id of a stage → where to tell of it
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken)

    def serve(self) -> dict[str, Any] | None:
        """Fork as told until there is nothing more to do; gives the order in a forked process, and None at the end."""
        while True:
            idle = None if self._told else IDLE_SECONDS
            ready, _, _ = select.select([self._control.fileno(), self._wake], [], [], idle)
            if not ready:
                return None
            if self._wake in ready:
                os.read(self._wake, 64)
                self._tell_of_ends()
            if self._control.fileno() in ready:
                message, files = receive(self._control)
                if not message:
                    return None
                if self._fork(files):
                    return dict(json.loads(message.decode()))

    def _fork(self, files: list[int]) -> bool:
        """Whether this is the new process, which has the files as its own; nothing is told where there can be none."""
        stdout, stderr, told = files
        server = os.getpid()
        try:
            child = os.fork()
        except OSError:  # no memory, or too many processes: the stage's own start tells of it
            for file in files:
                os.close(file)
            return False
        if child:
            os.close(stdout)
            os.close(stderr)
            self._told[child] = told
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        end_with_parent(server)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.write(told, b"pid %d\n" % os.getpid())
        self._control.close()
        for file in (*files, *self._told.values(), self._wake, self._woken):
            os.close(file)
        return True

    def _tell_of_ends(self) -> None:
        for child in list(self._told):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                told = self._told.pop(child)
                with contextlib.suppress(BrokenPipeError):  # nobody wants to know any more
                    os.write(told, b"code %d\n" % code)
                os.close(told)


def receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """A message and its files; both empty at the end."""
    files = array.array("i")
    message, more, _, _ = control.recvmsg(MOST, socket.CMSG_SPACE(3 * files.itemsize))
    for level, kind, data in more:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    return message, list(files)


def be_stage(order: dict[str, Any]) -> None:
    """Go on as `python -m MODULE WORDS…` in the folder and with the variables of the order."""
    os.environ.update(order["env"], BERTBUILD_PARENT=str(os.getppid()))
    os.chdir(order["cwd"])
    own = os.environ.get("PYTHONPATH", "").split(":")
    sys.path[:] = [order["cwd"], *own, *(entry for entry in sys.path if entry not in own)]
    tempfile.tempdir = None  # that of the variables, whoever asked before
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # else all stages had the same numbers at random
    sys.argv[1:] = order["words"]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
