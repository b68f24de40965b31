"""Copies of the checkout with the stand-ins for AWS's Neuron packages among their wheels.

An environment is named for the bytes of the wheels it was made of, and the stand-ins' are the same every time. So all
runs of the tests share one environment; over an index at some free port each run would make its own. It is a copy
because the product uses every wheel that lies in docker/neuron/wheels, and it is never to use a stand-in.
"""

from __future__ import annotations

import re
import shutil
import sys

from program import ROOT, Bertbuild

sys.path.insert(0, str(ROOT / "tests" / "stand_in_neuron"))

from index import PackageIndex
from wheels import build_wheels, stubs

__all__ = ["PackageIndex", "build_wheels", "changed", "checkout", "stubs", "with_few_packages"]


def checkout(folder, *, stand_ins=True):
    """Copy what the program runs of into a new folder."""
    for name in ("bertbuild", "docker"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.whl"))
    shutil.copyfile(ROOT / "compose.yaml", folder / "compose.yaml")
    if stand_ins:
        build_wheels(folder / "docker" / "neuron" / "wheels")
    return folder


def changed(program, folder, file, old, new):
    """The same program, a line of which reads otherwise."""
    root = checkout(folder)
    path = root / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return Bertbuild(program.artifacts, root, program.variables)


def with_few_packages(folder, *requirements):
    """A checkout whose neuron environment has one small package, and asks an index for these besides."""
    backend = checkout(folder, stand_ins=False) / "docker" / "neuron"
    lock = (backend / "requirements.txt").read_text()
    (block,) = re.findall(r"^wheel==(?:.*\\\n)+.*\n", lock, re.MULTILINE)
    (backend / "requirements.txt").write_text(block)
    (backend / "requirements.in").write_text(block.split()[0] + "\n")
    if requirements:
        (backend / "requirements-neuron.in").write_text("\n".join(requirements) + "\n")
    return folder
