"""Finding a Python of a given version on the machine, or having uv fetch one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bertbuild.errors import InterpreterMissingError
from bertbuild.isolation.fetching import Fetcher
from bertbuild.isolation.python_places import candidates, variable

QUERY = "import ctypes, sys, zlib; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)"
"""ctypes and zlib: NumPy and TensorFlow need them, and a Python lacks them where its libraries are not beside it."""


def find_interpreter(version: str, fetcher: Fetcher | None = None) -> tuple[Path, str]:
    """A working interpreter of `version` ("3.7"): its path and full version ("3.7.16").

    Looked for in: the variable BERTBUILD_PYTHON37, PATH, the folders of pyenv (its shims fail for versions that are
    not the chosen one, so a shim never ends the search), asdf, mise, uv and conda, the system's; last, `fetcher` has uv
    fetch it, where one is given.

    Raises:
        InterpreterMissingError: none was found and uv could not fetch one; the details are uv's own words.
    """
    found = _search(version)
    if found is not None:
        return found
    words = ""
    if fetcher is not None:
        words = fetcher.fetch(version)
        found = None if words else _search(version)
        if found is not None:
            return found
        words = words or f"what uv installed does not run as Python {version}"
    raise InterpreterMissingError(
        f"Python {version} is not on this machine" + (", and uv could not fetch it." if fetcher else "."),
        next_step=f"Install Python {version} (pyenv install {version}), name one in {variable(version)}, "
        "or use --isolation docker.",
        details=words,
    )


def _search(version: str) -> tuple[Path, str] | None:
    asked = set()
    for candidate in candidates(version):
        if candidate not in asked:
            asked.add(candidate)
            found = _query(candidate, version)
            if found is not None:
                return found
    return None


def _query(path: Path, version: str) -> tuple[Path, str] | None:
    """The interpreter behind a path (a shim says which), or None if it does not run or is of another version."""
    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", QUERY], capture_output=True, text=True, timeout=20, check=True, cwd="/"
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    if len(answer) != 2 or not answer[0].startswith(version + "."):
        return None
    return Path(answer[1]), answer[0]
