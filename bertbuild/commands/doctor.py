"""doctor: what this machine has of all that a build needs."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bertbuild import __version__
from bertbuild.addresses import bare
from bertbuild.backends import BACKENDS
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import CheckFailedError
from bertbuild.graph.processor import has_avx
from bertbuild.isolation.base import Finding, place
from bertbuild.isolation.device import neuron_device
from bertbuild.isolation.package_index import unresolved
from bertbuild.isolation.unlocked import unlocked
from bertbuild.places import PLACES
from bertbuild.plural import number_of
from bertbuild.project import own_file, runs_from

INDEXES = ("BERTBUILD_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
"""Variables that name a package index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis(Result):
    """What this machine has.

    Attributes:
        findings: what was looked at.
        usable: the places where stages can run.
        isolation: `name` of the one that is used, and `why`.
    """

    findings: tuple[Finding, ...]
    usable: tuple[str, ...]
    isolation: Mapping[str, str]


def doctor(session: Session) -> Diagnosis:
    """Look at all that a build needs, and say what is missing and what to do.

    Raises:
        CheckFailedError: there is no place where stages can run.
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
    usable = [name for name in PLACES if not broken & {name, "all"}]
    choice = session.choice
    value = Diagnosis(
        findings=tuple(findings), usable=tuple(usable), isolation={"name": choice.name, "why": choice.why}
    )
    if not usable:
        session.report({"event": "doctor", **value.facts()})
        raise CheckFailedError(
            f"{_none_of([row.title for row in PLACES.values()])} can be used on this machine as it is.",
            next_step="Fix the lines marked -- of one of them; one is enough.",
        )
    ways = " and ".join(_way(way, findings) for way in usable)
    where = f"stages of this store run in {choice.name}: {choice.why}"
    if session.mute:
        where = (
            f"builds of this store wait for {PLACES[session.mute].title}, or --isolation {choice.name}: {choice.why}"
        )
    return session.result(value, f"builds can run with: {ways}", where)


def _way(way: str, findings: list[Finding]) -> str:
    untried = [finding.what for finding in findings if finding.untried and finding.needed_for == way]
    return f"{way} (once {' and '.join(untried)} is fetched; not tried)" if untried else way


def _none_of(names: list[str]) -> str:
    *first, last = names
    return f"Neither {', '.join(first)} nor {last}" if first else f"No {last}"


def _findings(session: Session) -> Iterator[Finding]:
    yield Finding(what="bertbuild", ok=True, text=f"{__version__}, {runs_from()}")
    python = platform.python_version()
    yield Finding(what="Python of bertbuild", ok=sys.version_info >= (3, 10), text=python, needed_for="all")
    yield _processor()
    yield _space(session.settings.artifacts)
    for name in PLACES:
        yield from place(name).findings(session.settings)
    yield from _unlocked(offline=session.settings.offline)
    yield from _named(session.settings)
    yield _device()
    bundle = os.environ.get("SSL_CERT_FILE", "")
    if bundle:
        text = f"{bundle} (SSL_CERT_FILE)" + ("" if Path(bundle).is_file() else ", which is not there")
        yield Finding(what="certificates", ok=Path(bundle).is_file(), text=text, needed_for="all")
    yield Finding(
        what="end of life",
        ok=True,
        text="TensorFlow 1.15.5 (2021), Python 3.7 (2023), Model Optimizer (2024.6.0): pinned here, no security fixes",
    )


def _processor() -> Finding:
    machine = platform.machine()
    if machine != "x86_64":
        text = f"{machine}: TensorFlow 1.15.5 has packages for x86_64 alone; use such a machine"
        return Finding(what="processor", ok=False, text=text, needed_for="all")
    if not has_avx():
        text = "without AVX, which TensorFlow's packages need"
        return Finding(what="processor", ok=False, text=text, needed_for="all")
    return Finding(
        what="processor", ok=True, text=f"x86_64 with AVX, {number_of(os.cpu_count() or 1, 'core')}", needed_for="all"
    )


def _space(artifacts: Path) -> Finding:
    place = next(folder for folder in (artifacts, *artifacts.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    text = f"{free:.0f} GB free at {artifacts}" + ("" if free > 5 else "; the environments alone take 3 GB")
    # Little space is advice: environments may be made already, and be on another disk. With next to none nothing runs.
    return Finding(what="disk", ok=free > 5, text=text, needed_for="" if free > 1 else "all")


def _unlocked(*, offline: bool) -> Iterator[Finding]:
    """Where packages come from that no lock file holds, and whether that place has an address."""
    for backend in BACKENDS:
        packages = unlocked(backend)
        if packages is None:
            continue
        if packages.wheels:
            folder = own_file("docker", backend, packages.wheels_folder.name)
            yield Finding(what=f"packages of {backend}", ok=True, text=f"wheels in {folder}")
        else:
            text = f"from {bare(packages.index)} ({packages.variable})"
            yield _addressed(f"packages of {backend}", packages.index, text, offline=offline)


def _named(settings: Settings) -> Iterator[Finding]:
    """Addresses that the user named."""
    named = {variable: os.environ.get(variable, "") for variable in INDEXES} | {
        "BERTBUILD_MIRROR": settings.mirror or ""
    }
    for variable, address in named.items():
        if address:
            text = f"{bare(address)} ({variable})"
            what = "mirror of models" if variable == "BERTBUILD_MIRROR" else "package index"
            yield _addressed(what, address, text, offline=settings.offline)


def _addressed(what: str, address: str, text: str, *, offline: bool) -> Finding:
    why = "" if offline else unresolved(address)
    return Finding(what=what, ok=not why, text=f"{text}: {why}" if why else text)


def _device() -> Finding:
    device = neuron_device()
    text = "none here; what is compiled for it is run elsewhere" if device is None else str(device)
    return Finding(what="Neuron device", ok=True, text=text)
