"""Runs of the program and of scripts that share what takes long to import, so that CI has time for more of them.

`bertbuild` starts Python anew for each command, and for its stages another one that imports TensorFlow: two to five
seconds of processor time, more than all else of a tiny model's build. Here both are imported once, and forked for each
run (`bertbuild.isolation.forking`). A run has its own process, folder, variables and outputs, and its stages have what
they have in any virtual environment. What is lost is the start of the program, and that servers end with their host:
`Bertbuild.start`, changed checkouts, Docker, what faults disturb and the whole run (`invoke test --whole`) start it as
users do.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from bertbuild.backends import BACKENDS
from bertbuild.isolation.forking import ForkServers, Imports, imported
from bertbuild.isolation.venv import SITE, VenvIsolation

HERE = Path(__file__).resolve().parent


@functools.cache
def warm_runs():
    """Those of this session."""
    return WarmRuns()


class WarmRuns:
    """The processes that runs, stages and scripts of one session are forked from; they end with it."""

    def __init__(self):
        self._servers = ForkServers()
        self._folder = tempfile.TemporaryDirectory(prefix="bertbuild-test-servers-")
        self._address = str(Path(self._folder.name) / "socket")
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind(self._address)
        listening.listen()
        threading.Thread(target=self._serve, args=(listening,), daemon=True).start()

    def run(self, command, env, cwd, timeout):
        """What `subprocess.run` gives of a run of the program, with text; None where nothing forks it."""
        order = json.dumps({"command": command, "env": env})
        return _forked(self._host(env), sys.executable, "warm_run", (order,), str(HERE), cwd, timeout)

    def script(self, backend, python, path, request, timeout):
        """The same of a script in a backend's environment; None too where it imports nothing that takes long."""
        row = BACKENDS[backend]
        modules = imported(row.slow_imports, [path])
        if not modules:
            return None
        imports = Imports(python=str(python), modules=modules, variables=dict(row.import_variables), path=str(SITE))
        variables = VenvIsolation(python.parents[2])._variables(backend, self._folder.name, path.parent)
        server = self._servers.ready(imports, variables)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as asked:
            asked.write(request)
            asked.flush()
            words = (str(path), asked.name)
            return _forked(server, str(python), "warm_script", words, f"{path.parent}:{SITE}", Path.cwd(), timeout)

    def _host(self, env):
        """What forks runs of the checkout that the variables name."""
        path = f"{env['PYTHONPATH']}:{HERE}"
        imports = Imports(python=sys.executable, modules=("warm_host",), variables={}, path=path)
        fixed = {"PATH": env["PATH"], "BERTBUILD_PARENT": str(os.getpid()), "BERTBUILD_TEST_SERVERS": self._address}
        return self._servers.ready(imports, {**fixed, "BERTBUILD_TEST_PATH": path})  # one server for each checkout

    def _serve(self, listening):
        while True:
            asking, _ = listening.accept()
            threading.Thread(target=self._lend, args=(asking,), daemon=True).start()

    def _lend(self, asking):
        """Give a run what forks its stages: the socket that takes orders."""
        with asking, contextlib.suppress(OSError):
            wanted = json.loads(asking.recv(2**17))
            imports = wanted["imports"]
            env = wanted["env"] | {"BERTBUILD_PARENT": str(os.getpid()), **_of_nobody()}
            server = self._servers.ready(Imports(**imports | {"modules": tuple(imports["modules"])}), env)
            if server:
                socket.send_fds(asking, [b"lent"], [server._control.fileno()])


def _of_nobody():
    """What each stage has of its own: a server with a folder of a store would be taken for one of its runs."""
    return {"HOME": str(Path.home()), "TMPDIR": tempfile.gettempdir()}


def _forked(server, python, module, words, path, cwd, timeout):
    """Run a module to its end, forked from a server; None where that does not come to it."""
    own = {**_of_nobody(), "PYTHONPATH": path}
    with tempfile.TemporaryFile() as stderr:
        process = server and server.fork([python, "-m", module, *words], env=own, cwd=cwd, stderr=stderr)
        if not process:
            return None
        too_long = threading.Timer(timeout, os.killpg, (process.pid, 9))
        too_long.start()
        with process.stdout:
            stdout = process.stdout.read().decode()
        code = process.wait(timeout)
        too_long.cancel()
        stderr.seek(0)
        return subprocess.CompletedProcess([module, *words], code, stdout, stderr.read().decode())
