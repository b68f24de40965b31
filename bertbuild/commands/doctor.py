"""doctor: what this machine has of all that a build needs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bertbuild import __version__
from bertbuild.commands.session import Session
from bertbuild.errors import BertbuildError, CheckFailedError, InterpreterMissingError
from bertbuild.isolation.device import neuron_device
from bertbuild.isolation.fetching import OLDER, Fetcher, find_uv
from bertbuild.isolation.interpreters import find_interpreter
from bertbuild.isolation.unlocked import unlocked
from bertbuild.isolation.venv import PYTHON, VenvIsolation
from bertbuild.plural import number_of
from bertbuild.project import own_file, place
from bertbuild.stages import BACKENDS

OPTIONAL = PYTHON["tf1"]
"""The version that builds can do without."""
NOT_OFFERED = "no uv offers it for this machine"
WITHOUT = (
    "works: all else, and the reference runs in TensorFlow 2.20 in v1 mode; does not: neuron-ready's proof, "
    "neuron-compile, finetune. The way out: a Python 3.7 as said above, or Docker"
)
WITHOUT_ANOTHER = (
    "works: all else, and the reference runs in TensorFlow 1.15, whose environment is made; does not: neuron-compile. "
    "The way out: a Python 3.7 as said above, or Docker"
)
"""The same where the environment of TensorFlow 1.15 is made, and that of Neuron's compiler is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing doctor looked at.

    Attributes:
        needed_for: "docker", "venv" or "all"; empty for mere information.
        untried: whether it would be fetched when needed, which nobody tried.
        barred: of a Python: whether no environment can be made of it.
    """

    what: str
    ok: bool
    text: str
    needed_for: str = ""
    untried: bool = False
    barred: bool = False

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "what": self.what,
            "ok": self.ok,
            "text": self.text,
            "needed_for": self.needed_for,
            "untried": self.untried,
        }


def doctor(session: Session) -> None:
    """Look at all that a build needs, and say what is missing and what to do.

    Raises:
        CheckFailedError: neither Docker nor virtual environments can be used.
    """
    findings = list(_findings(session))
    session.report(
        {
            "event": "table",
            "title": "doctor",
            "columns": ["", "what", "found"],
            "rows": [["ok" if finding.ok else "--", finding.what, finding.text] for finding in findings],
        }
    )
    broken = {finding.needed_for for finding in findings if not finding.ok}
    usable = [way for way in ("docker", "venv") if not broken & {way, "all"}]
    choice = session.choice
    value = {
        "findings": [finding.as_json() for finding in findings],
        "usable": usable,
        "isolation": {"name": choice.name, "why": choice.why},
    }
    if not usable:
        session.report({"event": "doctor", **value})
        raise CheckFailedError(
            "Neither Docker nor virtual environments can be used on this machine as it is.",
            next_step="Mend one of the lines marked --; either way of the two is enough.",
        )
    ways = " and ".join(_way(way, findings) for way in usable)
    session.result(value, f"builds can run with: {ways}", f"stages of this store run in {choice.name}: {choice.why}")


def _way(way: str, findings: list[Finding]) -> str:
    untried = [finding.what for finding in findings if finding.untried and finding.needed_for == way]
    return f"{way} (once {' and '.join(untried)} is fetched; not tried)" if untried else way


def _findings(session: Session) -> Iterator[Finding]:
    yield Finding(what="bertbuild", ok=True, text=f"{__version__}, {place()}")
    python = platform.python_version()
    yield Finding(what="Python of bertbuild", ok=sys.version_info >= (3, 10), text=python, needed_for="all")
    yield _processor()
    yield _space(session.settings.artifacts)
    yield _docker(offline=session.settings.offline)
    venv = VenvIsolation(session.settings.environments)
    fetcher = Fetcher(folder=session.settings.environments, offline=session.settings.offline)
    made = {backend for backend in BACKENDS if venv.is_ready(backend)}
    lacking = set()
    for version in dict.fromkeys(PYTHON.values()):
        users = [backend for backend in BACKENDS if PYTHON[backend] == version]
        finding = _interpreter(version, fetcher, [backend for backend in users if backend in made])
        yield finding
        lacking |= {version} if finding.barred else set()
        if version == OPTIONAL and not made.issuperset(users) and (finding.untried or finding.barred):
            text = WITHOUT_ANOTHER if "tf1" in made else WITHOUT
            yield Finding(what=f"without {finding.what}", ok=True, text=text)
    yield _uv()
    for backend in BACKENDS:
        possible = PYTHON[backend] not in lacking
        when = ", of what uv's cache has" if session.settings.offline else ""
        text = (
            f"not made yet; made when needed{when}" if possible else f"cannot be made without Python {PYTHON[backend]}"
        )
        ok = backend in made or possible
        yield Finding(what=f"environment {backend}", ok=ok, text="made" if backend in made else text)
    yield from _unlocked()
    yield _device()
    bundle = os.environ.get("SSL_CERT_FILE", "")
    if bundle:
        text = f"{bundle} (SSL_CERT_FILE)" + ("" if Path(bundle).is_file() else ", which is not there")
        yield Finding(what="certificates", ok=Path(bundle).is_file(), text=text, needed_for="all")
    yield Finding(
        what="end of life",
        ok=True,
        text="TensorFlow 1.15.5 (2021), Python 3.7 (2023), Model Optimizer (2024.6.0): pinned here, mended by nobody",
    )


def _processor() -> Finding:
    machine = platform.machine()
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    if machine != "x86_64":
        text = f"{machine}: TensorFlow 1.15.5 has packages for x86_64 alone; use such a machine"
        return Finding(what="processor", ok=False, text=text, needed_for="all")
    if flags and " avx " not in flags.replace("\n", " "):
        text = "without AVX, which TensorFlow's packages need"
        return Finding(what="processor", ok=False, text=text, needed_for="all")
    return Finding(
        what="processor", ok=True, text=f"x86_64 with AVX, {number_of(os.cpu_count() or 1, 'core')}", needed_for="all"
    )


def _space(artifacts: Path) -> Finding:
    place = next(folder for folder in (artifacts, *artifacts.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    text = f"{free:.0f} GB free at {artifacts}" + ("" if free > 5 else "; the environments alone take 3 GB")
    return Finding(what="disk", ok=free > 5, text=text, needed_for="all")


def _unlocked() -> Iterator[Finding]:
    """Where packages come from that no lock file holds; no index is asked."""
    for backend in BACKENDS:
        packages = unlocked(backend)
        if packages is not None:
            folder = own_file("docker", backend, packages.wheels_folder.name)
            text = f"wheels in {folder}" if packages.wheels else f"from {packages.index} ({packages.variable})"
            yield Finding(what=f"packages of {backend}", ok=True, text=text)


def _device() -> Finding:
    device = neuron_device()
    text = "none here; what is compiled for it is run elsewhere" if device is None else str(device)
    return Finding(what="Neuron device", ok=True, text=text)


def _docker(*, offline: bool) -> Finding:
    from bertbuild.isolation.docker_engine import endpoint, on_the_network, require_engine

    if offline and on_the_network():
        text = f"{endpoint()} is reached over the network, which must not be used (offline); it was not asked"
        return Finding(what="Docker", ok=False, text=text, needed_for="docker")
    try:
        require_engine()
        command = ["docker", "compose", "version", "--short"]
        plugin = subprocess.run(command, capture_output=True, text=True, check=False)
    except BertbuildError as error:
        return Finding(what="Docker", ok=False, text=f"{error} {error.next_step}", needed_for="docker")
    except OSError:
        return Finding(what="Docker", ok=False, text="an engine, but no docker program", needed_for="docker")
    if plugin.returncode != 0:
        return Finding(what="Docker", ok=False, text="an engine, but no compose plug-in", needed_for="docker")
    return Finding(what="Docker", ok=True, text=f"engine answers, compose {plugin.stdout.strip()}", needed_for="docker")


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
