"""Where our own files lie: in a checkout, or in an installed package.

Stages are run from `ROOT`, and images are built of it: docker/, compose.yaml, .dockerignore, and of this package the
modules that stages import. In a checkout that is its root. A wheel has these files below one folder with the same
relative paths (hatch_build.py puts them there), so that keys and Dockerfiles are the same in both, and the rest of
site-packages is not on the search path of a stage.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE_FOLDER = Path(__file__).resolve().parent
"""This package."""

_INSTALLED = PACKAGE_FOLDER / "_project"

IS_INSTALLED = _INSTALLED.is_dir()
"""Whether this is an installed wheel; an editable install runs from its checkout."""

ROOT = _INSTALLED if IS_INSTALLED else PACKAGE_FOLDER.parent
"""Has docker/ and compose.yaml, and a folder `bertbuild` with what stages import of this package."""


def whole() -> bool:
    """Whether our files can be read, which those in a zip archive on Python's search path cannot."""
    return (ROOT / "docker").is_dir()


def runs_from() -> str:
    """Where the program runs from, for people."""
    return f"installed in {PACKAGE_FOLDER.parent}" if IS_INSTALLED else f"checkout at {ROOT}"


def compose() -> str:
    """How people type `docker compose` for our services."""
    return f"docker compose --file {ROOT / 'compose.yaml'}" if IS_INSTALLED else "docker compose"


def own_file(*parts: str) -> str:
    """How people are told of a file of ours: relative to their checkout, or by its whole path where it is installed."""
    return str(ROOT.joinpath(*parts)) if IS_INSTALLED else "/".join(parts)
