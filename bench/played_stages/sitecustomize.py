"""Loaded by a worker at its start: its stages are played, and it listens at an address of its own.

PLAYED_SECONDS: how long each stage takes. PLAYED_HOST: the loopback address of the worker.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from typing import Any


def play(seconds: float) -> None:
    """In the place of each stage's program: a kilobyte for each output."""
    from bertbuild.isolation.base import OnEvent, StageRun
    from bertbuild.isolation.venv import VenvIsolation
    from bertbuild.stages import STAGES

    def run(_self: VenvIsolation, run: StageRun, _on_event: OnEvent) -> None:
        time.sleep(seconds)
        spec = next(spec for spec in STAGES.values() if (spec.backend, spec.command) == (run.code, run.stage))
        run.log.write_text("played\n", encoding="utf-8")
        for name in spec.outputs:
            content = json.dumps([name, sorted(run.params.items())])
            (run.work / "out" / name).write_text(f"{content:1000}", encoding="utf-8")
        (run.work / "out" / "stage.json").write_text(json.dumps({"stage": spec.name}), encoding="utf-8")

    VenvIsolation.run = run  # type: ignore[method-assign]


def listen_at(host: str) -> None:
    """Dask's nannies listen there, and so do their workers."""
    from distributed import Nanny

    made = Nanny.__init__

    @functools.wraps(made)
    def at_host(self: Nanny, *words: Any, **named: Any) -> None:
        made(self, *words, **{"host": host, **named})

    Nanny.__init__ = at_host


if "PLAYED_SECONDS" in os.environ:
    play(float(os.environ["PLAYED_SECONDS"]))
if "PLAYED_HOST" in os.environ and "worker" in sys.argv:
    listen_at(os.environ["PLAYED_HOST"])
