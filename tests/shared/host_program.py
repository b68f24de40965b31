"""`python host_program.py TASK --flags…`: the bertbuild program, whose stages are played by a FakeIsolation.

HOST_PROGRAM_OFFSET is how far targets answer from their source; HOST_PROGRAM_MODULES names a file that gets the modules
that were loaded.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path

from host_doubles import FakeIsolation

from bertbuild.backends import BACKENDS
from bertbuild.cli.main import main
from bertbuild.commands.session import Session

ISOLATION = FakeIsolation()
ISOLATION.prepared.extend(BACKENDS)
ISOLATION.offset = float(os.environ.get("HOST_PROGRAM_OFFSET", "0"))
Session.isolation = property(lambda _session: ISOLATION)


def tell_modules():
    if "HOST_PROGRAM_MODULES" in os.environ:
        Path(os.environ["HOST_PROGRAM_MODULES"]).write_text("\n".join(sys.modules))


atexit.register(tell_modules)
main()
