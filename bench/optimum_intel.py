"""Optimum-Intel, the peer that exports and quantizes models for OpenVINO: an environment with it, and what it makes.

PyPI's torch is a wheel of half a gigabyte, with 4 GB of CUDA's libraries. A CPU build does the same here: pip takes one
(2.13.0+cpu, which counts as newer than 2.13.0) out of a folder that it is told of by PIP_FIND_LINKS, or from torch's
own index. Optimum-Intel 2.2 also asks for torchvision, whose build on PyPI is CUDA's: it does not load beside a CPU
build of torch, and ends every export. No export of a BERT needs it, so it is taken out again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from common import ROOT, measure
from stage_runs import StageRuns

from bertbuild.config import load_settings
from bertbuild.isolation.interpreters import find_interpreter

REQUIREMENTS = {
    "2026.4": ROOT / "bench" / "optimum-2026-requirements.txt",
    "2024.6": ROOT / "bench" / "optimum-requirements.txt",
}
"""Version of OpenVINO → what is installed, of its time."""


def environment(version: str) -> Path:
    """The environment of a version of OpenVINO, made if it is not there; kept beside bertbuild's own."""
    requirements = REQUIREMENTS[version]
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    path = load_settings().environments / f"bench-optimum-{digest}"
    done = path / "done"
    if not done.exists():
        print(f"making {path.name}; this takes minutes", file=sys.stderr)
        shutil.rmtree(path, ignore_errors=True)
        interpreter, _ = find_interpreter("3.11")
        measure([interpreter, "-m", "venv", path])
        pip = (path / "bin" / "python", "-m", "pip")
        measure([*pip, "install", "--quiet", "--requirement", requirements])
        measure([*pip, "uninstall", "--quiet", "--yes", "torchvision"])
        done.touch()
    return path


def variables(path: Path) -> dict[str, str]:
    """The variables that its programs are started with: nothing is downloaded."""
    return os.environ | {"HF_HUB_OFFLINE": "1", "PATH": f"{path / 'bin'}:{os.environ['PATH']}"}


def weights(checkpoint: Path, folder: Path, *flags: str) -> Path:
    """The Hugging Face folder of a checkpoint, which it starts from, below a folder."""
    words = f"--words={checkpoint / 'vocab.txt'}"
    made, _ = StageRuns("data", folder).run("convert-hf", "hf", f"--checkpoint={checkpoint}", words, *flags)
    return made


def export(path: Path, made: Path, out: Path) -> Path:
    """The fp32 IR of a Hugging Face folder, as the command line of an environment makes it; gives its .xml."""
    command: list[object] = ["export", "openvino", "--model", made, "--task", "feature-extraction"]
    measure([path / "bin" / "optimum-cli", *command, "--weight-format", "fp32", out], env=variables(path))
    return out / "openvino_model.xml"
