"""What uv's cache lacks of a backend's packages, told without the network and without making anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from bertbuild.backends import backend_folder, excluded_file, lock_file
from bertbuild.isolation.fetching import find_uv
from bertbuild.isolation.unlocked import Unlocked, unlocked

LIMIT_SECONDS = 60
_NOT_THERE = re.compile(r"Because (\S+) was not found in the cache")
_NO_FILE = re.compile(r"Failed to (?:download|fetch|build)[^`]*`([^`]+)`")
_TO_DOWNLOAD = re.compile(r"Would download (\d+) package")
_NO_NETWORK = ("network was disabled", "Network connectivity is disabled", "not found in the cache")
"""Of uv's words where only the network could help."""


def locked_packages(backend: str) -> list[str]:
    """Arguments of `uv pip install` for what a backend's lock file holds."""
    excluded = excluded_file(backend)
    return [
        "--require-hashes",
        "--build-constraints",
        str(backend_folder(backend) / "build-constraints.txt"),
        *(["--excludes", str(excluded)] if excluded else []),
        "--requirements",
        str(lock_file(backend)),
    ]


def unlocked_packages(packages: Unlocked) -> list[str]:
    """The same for packages that no lock file holds."""
    # Else uv takes a name from the first index that has it, which is the one with the empty packages.
    index = ["--index", packages.index, "--index-strategy", "unsafe-best-match"]
    place = ["--find-links", str(packages.wheels_folder)] if packages.wheels else index
    return ["--only-binary", ":all:", *place, "--requirements", str(packages.requirements)]


def lacking_packages(backend: str, version: str) -> str:
    """What uv's cache lacks to make a backend's environment for a Python of `version`, in words; "" for nothing.

    The Python need not be there. What cannot be told counts as nothing: making the environment then shows it.
    """
    packages = unlocked(backend)
    asked = [locked_packages(backend), *([unlocked_packages(packages)] if packages else [])]
    return next(filter(None, (_lacking(words, version) for words in asked)), "")


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
