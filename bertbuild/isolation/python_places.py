"""Where a machine keeps its Pythons: the folders of the tools that install them, and the system's."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

Place = tuple[str | Path, str]
"""A folder, and which folders below it have programs, as a pattern."""

SYSTEM: tuple[Place, ...] = (
    ("/usr/local", "bin"),
    ("/usr/local", "*/bin"),
    ("/usr", "bin"),
    ("/opt", "*/bin"),
    ("/opt/python", "*/bin"),
    ("/opt/hostedtoolcache/Python", "*/*/bin"),
)
PYENV = ("/opt/pyenv", "/usr/local/pyenv", "/usr/local/share/pyenv")
CONDA = ("/opt/conda", "/opt/miniconda3", "/opt/anaconda3", "/opt/miniforge3")
"""What lies outside anybody's home."""

OF_CONDA = ("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba", ".conda")
"""In a home."""


def variable(version: str) -> str:
    """The environment variable that names an interpreter: BERTBUILD_PYTHON37 for "3.7"."""
    return "BERTBUILD_PYTHON" + version.replace(".", "")


def candidates(version: str) -> Iterator[Path]:
    """Paths where an interpreter of `version` ("3.7") may be, likeliest first; not all exist, not all run."""
    named = os.environ.get(variable(version))
    if named:
        yield Path(named).expanduser().absolute()
    program = f"python{version}"
    for folder in filter(None, os.environ.get("PATH", "").split(os.pathsep)):
        yield Path(folder).absolute() / program
    yield Path(sys.base_prefix) / "bin" / program
    for place, pattern in (*_version_managers(version), *_of_uv(version), *SYSTEM, *_of_conda(version)):
        yield from sorted(Path(place).glob(f"{pattern}/{program}"), reverse=True)


def _roots(variables: tuple[str, ...], *more: str | Path) -> list[Path]:
    """The folders that variables name, with colons where there are several, then others; each once."""
    named = [part for name in variables for part in os.environ.get(name, "").split(os.pathsep)]
    return list(dict.fromkeys(Path(root) for root in (*filter(None, named), *more)))


def _version_managers(version: str) -> Iterator[Place]:
    home = _home()
    for root in _roots(("PYENV_ROOT",), home / ".pyenv", *PYENV):
        yield root, f"versions/{version}.*/bin"
    for root in _roots(("ASDF_DATA_DIR", "MISE_DATA_DIR"), home / ".asdf", _data() / "mise"):
        yield root, f"installs/python/{version}.*/bin"


def _of_uv(version: str) -> Iterator[Place]:
    """What any uv fetched; those of before 0.7.0 could fetch 3.7."""
    for root in _roots(("UV_PYTHON_INSTALL_DIR",), _data() / "uv/python", _home() / ".local/share/uv/python"):
        yield root, f"cpython-{version}.*/bin"


def _home() -> Path:
    """The caller's; a path that leads nowhere for a uid that has none."""
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises there


def _data() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or _home() / ".local/share")


def _of_conda(version: str) -> Iterator[Place]:
    """Environments of conda and mamba, wherever they were made, and Pythons that lie unpacked in their caches."""
    home = _home()
    try:
        made = (home / ".conda" / "environments.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        made = []
    for prefix in _roots(("CONDA_PREFIX",), *(line.strip() for line in made if line.startswith("/"))):
        yield prefix, "bin"
    program = os.environ.get("CONDA_EXE")
    installed = [Path(program).parent.parent] if program else []
    for root in _roots(("MAMBA_ROOT_PREFIX",), *installed, *(home / name for name in OF_CONDA), *CONDA):
        yield root, "bin"
        yield root, "envs/*/bin"
        yield root, f"pkgs/python-{version}.*/bin"
    for root in _roots(("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS")):
        yield root, "*/bin"
    for root in _roots(("CONDA_PKGS_DIRS",)):
        yield root, f"python-{version}.*/bin"
