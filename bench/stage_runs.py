"""Stages as processes of their own, in the virtual environments bertbuild keeps, timed without the host."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from common import ROOT, Measured, measure

from bertbuild.backends import BACKENDS
from bertbuild.closure import module_of
from bertbuild.config import load_settings
from bertbuild.isolation.venv import VenvIsolation, lay_out
from bertbuild.stages import code_of


class StageRuns:
    """Runs the stages of one backend below one folder."""

    def __init__(self, backend: str, folder: Path) -> None:
        self._backend = backend
        self._folder = folder
        self._isolation = VenvIsolation(load_settings().environments)

    def program(self, name: str) -> Path:
        """A program of the backend's environment: "python", or one that a package of it brings."""
        return self._isolation._path(self._backend) / "bin" / name  # noqa: SLF001 - the program itself is measured

    def environment(self, work: Path, code: Path | None = None) -> dict[str, str]:
        """The variables a stage is given: its temporary folder and the folder of its code (none: no code of ours)."""
        return self._isolation._variables(self._backend, work, code or work)  # noqa: SLF001

    def run(self, stage: str, out: str, *flags: str) -> tuple[Path, Measured]:
        """Run a stage again; its result and what it took."""
        work = self.empty(f"{out}-work")
        path = self.empty(out)
        code = work / "code"
        lay_out(code_of(BACKENDS[self._backend].folder, stage), code)
        command = [self.program("python"), "-m", module_of(stage), *flags, f"--out={path}"]
        return path, measure(command, env=self.environment(work, code), cwd=work)

    def empty(self, name: str) -> Path:
        """An empty folder of that name below the one folder, made again."""
        path = self._folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path


def random_checkpoint(folder: Path, size: str, *, labels: int = 0, vocab: Path | None = None) -> Path:
    """A random checkpoint of a size of random_checkpoint.py; with a real vocabulary where lengths of texts matter."""
    path = folder / size
    measure([sys.executable, ROOT / "bench" / "random_checkpoint.py", size, path, "--labels", labels])
    if vocab is not None:
        shutil.copyfile(vocab, path / "vocab.txt")
    return path


def uncased_vocabulary() -> Path:
    """The vocabulary of the published uncased models; ends this program where it is not there."""
    path = ROOT.parent / "shared" / "data" / "vocab" / "uncased.vocab.txt"
    if not path.is_file():
        sys.exit(
            f"{path} is not there: the vocabulary of the published uncased models, by which texts have their lengths"
        )
    return path


def checkpoint_bytes(folder: Path) -> int:
    """The size of a checkpoint's files."""
    return sum(file.stat().st_size for file in folder.glob("bert_model.ckpt.*"))
