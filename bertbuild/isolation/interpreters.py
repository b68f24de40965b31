"""Finding a Python of a given version on the machine, or having uv fetch one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bertbuild.errors import InterpreterMissingError

QUERY = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)"


def find_interpreter(version: str, *, fetch: bool = True) -> tuple[Path, str]:
    """A working interpreter of `version` ("3.7"): its path and full version ("3.7.16").

    Looked for in: the variable BERTBUILD_PYTHON37, PATH, pyenv's own version folders (its shims fail for versions that
    are not the chosen one, so a shim never ends the search), the usual folders, uv's own interpreters; last, uv fetches
    it.

    Raises:
        InterpreterMissingError: none was found and uv could not fetch one.
    """
    for candidate in _candidates(version):
        found = _query(candidate, version)
        if found is not None:
            return found
    fetched, words = _fetch(version) if fetch else (None, "")
    found = _query(fetched, version) if fetched is not None else None
    if found is None:
        raise InterpreterMissingError(
            f"Python {version} is not on this machine, and uv could not fetch it.",
            next_step=f"Install Python {version} (pyenv install {version}), name one in {variable(version)}, "
            "or use --isolation docker.",
            details=words,
        )
    return found


def variable(version: str) -> str:
    """The environment variable that names an interpreter: BERTBUILD_PYTHON37 for "3.7"."""
    return "BERTBUILD_PYTHON" + version.replace(".", "")


def _candidates(version: str) -> Iterator[Path]:
    named = os.environ.get(variable(version))
    if named:
        yield Path(named).expanduser().absolute()
    for folder in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        yield Path(folder).absolute() / f"python{version}"
    for root in dict.fromkeys(filter(None, (os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")))):
        yield from sorted(Path(root).glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    for folder in ("/usr/local/bin", "/usr/bin", "/opt/python/bin", f"/opt/python{version}/bin"):
        yield Path(folder) / f"python{version}"
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    yield from sorted(data.glob(f"uv/python/cpython-{version}.*/bin/python{version}"), reverse=True)


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


def _fetch(version: str) -> tuple[Path | None, str]:
    uv = find_uv()
    try:
        result = subprocess.run([uv, "python", "install", version], capture_output=True, text=True, check=False)
    except OSError as error:
        return None, f"uv cannot be started: {error}"
    if result.returncode != 0:
        return None, result.stderr.strip()
    found = subprocess.run(
        [uv, "python", "find", "--managed-python", version], capture_output=True, text=True, check=False
    )
    return (Path(found.stdout.strip()), "") if found.returncode == 0 else (None, found.stderr.strip())


def find_uv() -> str:
    """The uv program: the one installed beside bertbuild, else the one on PATH."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else shutil.which("uv") or "uv"
