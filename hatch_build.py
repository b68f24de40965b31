"""Puts into a wheel what stages run from and images are built of: `bertbuild/_project` (bertbuild/project.py).

That is compose.yaml, .dockerignore, and what .dockerignore lets through, with a checkout's relative paths. Modules of
the package that are among it are in the wheel twice: here stages find them, and nothing else of site-packages. They are
copied first, since hatchling takes a file that it is told to include elsewhere out of the place where it was.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.whl")  # wheels: AWS's, which are not ours to pass on


class ProjectFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before and after a wheel is made; an editable install needs none of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copy the files, and have the copy included."""
        if version == "editable":
            return
        self._copy = Path(tempfile.mkdtemp())
        root = Path(self.root)
        for name in (".dockerignore", "compose.yaml", *passed(root / ".dockerignore")):
            source, target = root / name, self._copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=LEFT_OUT)
            else:
                shutil.copyfile(source, target)
        build_data["force_include"][str(self._copy)] = "bertbuild/_project"

    def finalize(self, version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove the copy."""
        if version != "editable":
            shutil.rmtree(self._copy)


def passed(ignore: Path) -> list[str]:
    """What a .dockerignore lets through: its `!` lines, but for folders that a line `X/*` empties."""
    lines = ignore.read_text(encoding="utf-8").split()
    return [line[1:] for line in lines if line.startswith("!") and f"{line[1:]}/*" not in lines]
