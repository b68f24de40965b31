"""A stage as a program under this Python, without its environment; doubles may stand in for its packages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bertbuild.project import ROOT


def run_by_hand(backend: str, stage: str, *words: str, doubles: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a stage to its end; gives its exit code and what it said.

    Args:
        backend: whose folder in docker/ has the stage.
        stage: the name of its module.
        words: its flags.
        doubles: a folder with modules in the place of packages.
    """
    paths = [*filter(None, [doubles]), *(ROOT / "docker" / part for part in (backend, "common")), ROOT]
    return subprocess.run(
        [sys.executable, "-m", f"stages.{stage}", *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
