"""The place "venv": stages in virtual environments of this machine (venv.py)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from bertbuild.backends import BACKENDS
from bertbuild.config import Settings
from bertbuild.errors import InterpreterMissingError
from bertbuild.isolation.base import Finding, Isolation
from bertbuild.isolation.fetching import OLDER, Fetcher, find_uv
from bertbuild.isolation.interpreters import find_interpreter
from bertbuild.isolation.venv import MARKER, VenvIsolation

OPTIONAL = BACKENDS["tf1"].python
"""The version that builds can do without."""
NOT_OFFERED = "no uv offers it for this machine"
WITHOUT = (
    "works: all else, and the reference runs in TensorFlow 2.20 in v1 mode; does not: neuron-ready's proof, "
    "neuron-compile, finetune. Use a Python 3.7 as described above, or Docker"
)
WITHOUT_ANOTHER = (
    "works: all else, and the reference runs in TensorFlow 1.15, whose environment is made; does not: neuron-compile. "
    "Use a Python 3.7 as described above, or Docker"
)
"""The same where the environment of TensorFlow 1.15 is made, and that of Neuron's compiler is not."""


def isolation(settings: Settings) -> Isolation:
    """See `Place.isolation`."""
    return VenvIsolation(settings.environments, offline=settings.offline)


def why_not(settings: Settings, *, used_last: bool) -> str:  # noqa: ARG001 - the protocol's
    """See `Place.why_not`: none is made, and the Python that most of them need is not here."""
    if any(settings.environments.glob(f"*/{MARKER}")):
        return ""
    try:
        find_interpreter(BACKENDS["openvino"].python)
    except InterpreterMissingError:
        return "no Python for virtual environments is found"
    return ""


def findings(settings: Settings) -> Iterator[Finding]:
    """See `Place.findings`: the Pythons, uv, and which environments are made."""
    venv = VenvIsolation(settings.environments)
    fetcher = Fetcher(folder=settings.environments, offline=settings.offline)
    made = {backend for backend in BACKENDS if venv.is_ready(backend)}
    lacking = set()
    for version in dict.fromkeys(row.python for row in BACKENDS.values()):
        users = [backend for backend in BACKENDS if BACKENDS[backend].python == version]
        finding = _interpreter(version, fetcher, [backend for backend in users if backend in made])
        yield finding
        lacking |= {version} if finding.barred else set()
        if version == OPTIONAL and not made.issuperset(users) and (finding.untried or finding.barred):
            text = WITHOUT_ANOTHER if "tf1" in made else WITHOUT
            yield Finding(what=f"without {finding.what}", ok=True, text=text)
    yield _uv()
    for backend, row in BACKENDS.items():
        possible = row.python not in lacking
        when = ", of what uv's cache has" if settings.offline else ""
        text = f"not made yet; made when needed{when}" if possible else f"cannot be made without Python {row.python}"
        ok = backend in made or possible
        yield Finding(what=f"environment {backend}", ok=ok, text="made" if backend in made else text)


def _interpreter(version: str, fetcher: Fetcher, made: list[str]) -> Finding:
    """Whether a Python is here, would be fetched, or is not to be had; `made` are backends that have one already."""
    what, needed_for = f"Python {version}", "" if version == OPTIONAL else "venv"
    try:
        path, full = find_interpreter(version)
    except InterpreterMissingError as missing:
        reason, offered = fetcher.barred(version), fetcher.offered_by(version)
        barred = bool(reason) or not offered
        if made:
            text = f"not found, but environments are made of one: {', '.join(made)}"
            if barred:
                text += f"\nno others can be made: {reason or NOT_OFFERED}\n{missing.next_step}"
            return Finding(what=what, ok=True, text=text, needed_for=needed_for, barred=barred)
        if not barred:
            by = f"{OLDER} (fetched first, by hash)" if offered == OLDER else offered
            text = f"not here; {by} would fetch it when needed (not tried)"
            return Finding(what=what, ok=True, text=text, needed_for=needed_for, untried=True)
        text = f"not here and not to be had: {reason or NOT_OFFERED}\n{missing.next_step}"
        return Finding(what=what, ok=False, text=text, needed_for=needed_for, barred=True)
    return Finding(what=what, ok=True, text=f"{full} at {path}", needed_for=needed_for)


def _uv() -> Finding:
    try:
        version = subprocess.run([find_uv(), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return Finding(what="uv", ok=False, text="not here; pip install uv", needed_for="venv")
    return Finding(what="uv", ok=True, text=version, needed_for="venv")
