"""The place "toy" with a process a stage that lasts SLOW_TOY_SECONDS and dies with its host, as real stages do."""

from __future__ import annotations

import os
import sys

from toy_place import ToyIsolation, findings, why_not

from bertbuild.errors import StageError
from bertbuild.isolation.process import Children, run_logged

__all__ = ["findings", "isolation", "why_not"]

MARK = "a-slow-toy"
"""A word of the command line of its processes."""
CODE = f"import ctypes, time; ctypes.CDLL(None).prctl(1, 9); time.sleep({os.environ.get('SLOW_TOY_SECONDS', '0')})"


class SlowToys(ToyIsolation):
    """Each stage lasts."""

    def __init__(self):
        super().__init__()
        self._children = Children()

    def end(self):
        self._children.end()

    def run(self, run, on_event):
        command, told = [sys.executable, "-c", CODE, MARK], {"env": dict(os.environ), "cwd": run.work, "log": run.log}
        code = run_logged(command, **told, on_event=on_event, children=self._children)
        if code:
            raise StageError(f"The stage {run.stage} failed with exit code {code}.")
        super().run(run, on_event)


def isolation(_settings):
    return SlowToys()
