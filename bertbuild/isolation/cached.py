"""What uv's cache lacks of a backend's packages, told without the network and without making anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

from bertbuild.backends import backend_folder, excluded_file, lock_file
from bertbuild.isolation.fetching import find_uv
from bertbuild.isolation.unlocked import Unlocked, unlocked
from bertbuild.plural import number_of

LIMIT_SECONDS = 60
SHOWN = 3
"""How many packages are named to people."""

_BLOCK = re.compile(r"^[A-Za-z0-9][^\n]*(?:\n[ \t][^\n]*)*\n?", re.MULTILINE)
"""A package in a lock file, with the lines of its hashes."""

_NOT_THERE = re.compile(r"Because (\S+) was not found in the cache")
_NO_FILE = re.compile(r"Failed to (?:download|fetch|build)[^`]*`([^`]+)`")
_TO_DOWNLOAD = re.compile(r"Would download (\d+) package")
_NO_NETWORK = ("network was disabled", "Network connectivity is disabled", "not found in the cache")
"""Of uv's words where only the network could help."""


def locked_packages(backend: str) -> list[str]:
    """Arguments of `uv pip install` for what a backend's lock file holds."""
    return [*_restricted(backend), "--requirements", str(lock_file(backend))]


def _restricted(backend: str) -> list[str]:
    constraints, excluded = backend_folder(backend) / "build-constraints.txt", excluded_file(backend)
    excludes = ["--excludes", str(excluded)] if excluded else []
    return ["--require-hashes", "--build-constraints", str(constraints), *excludes]


def unlocked_packages(packages: Unlocked) -> list[str]:
    """The same for packages that no lock file holds."""
    # Else uv takes a name from the first index that has it, which is the one with the empty packages.
    index = ["--index", packages.index, "--index-strategy", "unsafe-best-match"]
    place = ["--find-links", str(packages.wheels_folder)] if packages.wheels else index
    return ["--only-binary", ":all:", *place, "--requirements", str(packages.requirements)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncached:
    """What uv's cache lacks: in words, and each package of a lock file as `name==version`, where that is known."""

    words: str
    packages: tuple[str, ...] = ()


def lacking_packages(backend: str, version: str) -> Uncached | None:
    """What uv's cache lacks to make a backend's environment for a Python of `version`.

    The Python need not be there. What cannot be told counts as nothing: making the environment then shows it.
    """
    if words := _lacking(locked_packages(backend), version):
        packages = _each_lacking(backend, version)
        return Uncached(words=_listed(packages) or words, packages=packages)
    packages_elsewhere = unlocked(backend)
    words = _lacking(unlocked_packages(packages_elsewhere), version) if packages_elsewhere else ""
    return Uncached(words=words) if words else None


def _each_lacking(backend: str, version: str) -> tuple[str, ...]:
    """Each package of the lock file that uv's cache lacks. uv is asked for one at a time: it names but the first."""
    from concurrent.futures import ThreadPoolExecutor
    from tempfile import TemporaryDirectory

    blocks = _BLOCK.findall(lock_file(backend).read_text(encoding="utf-8"))

    def lacks(block: str) -> bool:
        with TemporaryDirectory() as folder:
            one = Path(folder) / "requirements.txt"
            one.write_text(block, encoding="utf-8")
            return bool(_lacking([*_restricted(backend), "--no-deps", "--requirements", str(one)], version))

    with ThreadPoolExecutor() as threads:
        return tuple(block.split()[0] for block in compress(blocks, threads.map(lacks, blocks)))


def _listed(packages: Sequence[str]) -> str:
    """The number of packages and the first of them; "" where there are none."""
    if not packages:
        return ""
    names = ", ".join(name.replace("==", " ") for name in packages[:SHOWN])
    more = f" and {len(packages) - SHOWN} more" if len(packages) > SHOWN else ""
    return f"uv's cache lacks {number_of(len(packages), 'package')}: {names}{more}"


def _lacking(packages: list[str], version: str) -> str:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as nowhere:
        command = [find_uv(), "pip", "install", "--dry-run", "--python", sys.executable, "--python-version", version]
        command += ["--target", str(Path(nowhere) / "none"), *packages]
        try:
            looked = subprocess.run(
                command,
                env=os.environ | {"UV_OFFLINE": "1", "NO_COLOR": "1"},
                capture_output=True,
                text=True,
                check=False,
                timeout=LIMIT_SECONDS,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
    more = _TO_DOWNLOAD.search(looked.stderr + looked.stdout)
    if looked.returncode == 0:
        return f"uv's cache lacks {more[1]} of them" if more else ""
    return in_words(looked.stderr + looked.stdout)


def in_words(output: str) -> str:
    """What uv lacks, by what it said when it failed; "" where it failed for another reason than the network."""
    text = " ".join(output.split())
    if not any(words in text for words in _NO_NETWORK):
        return ""
    found = _NOT_THERE.search(text) or _NO_FILE.search(text)
    return f"uv's cache lacks {found[1].replace('==', ' ')}, and maybe others" if found else "uv's cache lacks some"
