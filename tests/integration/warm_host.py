"""What a process imports from which runs of the program are forked; see `warm_runs.py`, which starts it.

Imports alone: a run that is forked finds no state of another one. Its stages are forked from servers that all runs of a
session share, where each run by itself starts its own, which import TensorFlow anew.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from dataclasses import asdict, replace

import bertbuild.cli.call
import bertbuild.cli.tasks
import bertbuild.commands.entry_jobs
import bertbuild.commands.target
import bertbuild.engine.engine
import bertbuild.gate.parity
import bertbuild.isolation.venv
import bertbuild.report.live
import bertbuild.source.resolve  # noqa: F401 - what most commands load
from bertbuild.backends import BACKENDS, TENSORFLOW_VARIABLES
from bertbuild.isolation import fork_server, forking

ADDRESS = os.environ["BERTBUILD_TEST_SERVERS"]
"""The socket where servers are lent."""


def lent(_servers, imports, env):
    """In the place of `ForkServers.ready`: a server of the session's, which this run neither starts nor ends."""
    wanted = {"imports": {**asdict(imports), "variables": dict(imports.variables)}, "env": dict(env)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.connect(ADDRESS)
        asking.send(json.dumps(wanted).encode())
        _, files = fork_server.receive(asking)
    if not files:
        return None  # the stage starts by itself
    server = object.__new__(forking._Server)
    server._control, server._lock = socket.socket(fileno=files[0]), threading.Lock()
    server._is_ready, server._ended, server._process = True, False, None
    return server


def expect(_servers, *_what, **_more):
    """Nothing: the session's servers are there, or begin with the first stage."""


def fork_of(servers, run, stage, path):
    """Trainings are forked too: they take seconds here."""
    return _fork_of(servers, replace(run, unfinished=None), stage, path)


for name in ("neuron", "hf-tf"):  # whose stages import it too
    row = replace(BACKENDS[name], slow_imports=("tensorflow",), import_variables=TENSORFLOW_VARIABLES)
    BACKENDS[name] = row

_fork_of = forking.ForkServers.fork_of
forking.ForkServers.ready, forking.ForkServers.fork_of, forking.ForkServers.expect = lent, fork_of, expect
