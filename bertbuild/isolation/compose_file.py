"""Docker Compose over compose.yaml: its command line, and the variables that it is given."""

from __future__ import annotations

import os

from bertbuild import project
from bertbuild.backends import BACKENDS
from bertbuild.isolation import docker_engine
from bertbuild.project import ROOT

VERSION = "BERTBUILD_BACKEND_VERSION"
"""The variable that names a version that stands beside the usual one of a service."""


def image_tag() -> str:
    """The tag of all images."""
    return os.environ.get("BERTBUILD_IMAGE_TAG") or "local"


def compose_command() -> list[str]:
    """What a command line begins with."""
    return ["docker", "compose", "--project-directory", str(ROOT), "--file", str(ROOT / "compose.yaml")]


def compose_environment(backend: str) -> dict[str, str]:
    """The caller's environment, with tag and version, which an .env file cannot change behind the host's back."""
    known = {"DOCKER_HOST": docker_engine.endpoint(), "BERTBUILD_IMAGE_TAG": image_tag(), VERSION: _version(backend)}
    return {**os.environ, **known}


def build_by_hand(backend: str) -> str:
    """How people type the command that builds an image."""
    variable = f"{VERSION}={_version(backend)} " if _version(backend) else ""
    return f"{variable}{project.compose()} build {BACKENDS[backend].folder}"


def _version(backend: str) -> str:
    row = BACKENDS[backend]
    return row.version if row.beside else ""
