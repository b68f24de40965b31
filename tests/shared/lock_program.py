"""`python lock_program.py TASK --flags…`: host_program, in environments of the lock files, which provenance names."""

from __future__ import annotations

import hashlib
import platform

from host_doubles import FakeIsolation

from bertbuild.backends import lock_file


def environment(_isolation, backend):
    lock = hashlib.sha256(lock_file(backend).read_bytes()).hexdigest()
    return {"lock": lock, "python": "3.11.0", "machine": platform.machine()}


FakeIsolation.environment = environment
import host_program  # noqa: E402, F401 - runs the program
