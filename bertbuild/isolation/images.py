"""What the image of a backend is made of: its recipe, base, lock file and code; its name, labels and part of a key.

A key holds what an image is made of and not its id, which another build of the same files need not have: so machines
share results, and nothing is made again in an image that was built again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from bertbuild import keys
from bertbuild.backends import BACKENDS, backend_folder, lock_file
from bertbuild.isolation.compose_file import image_tag
from bertbuild.isolation.docker_engine import Image
from bertbuild.isolation.unlocked import unlocked
from bertbuild.project import ROOT
from bertbuild.stages import image_code

SOURCE_LABEL = "org.bertbuild.source"
BASE_LABEL = "org.bertbuild.base"
"""What an image was built on: `identity` of its base."""

_BASE = r"^ARG (BERTBUILD_BASE_PYTHON{python})=(\S+)$"
_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")


def image_name(backend: str) -> str:
    """The name compose.yaml gives to a backend's image."""
    return f"bertbuild/{BACKENDS[backend].image}:{image_tag()}"


def base_name(backend: str) -> str:
    """The base image of a backend's, as it is named: in the environment, else in the Dockerfile."""
    python = BACKENDS[backend].python.replace(".", "")
    (found,) = re.findall(_BASE.format(python=python), _dockerfile().read_text(encoding="utf-8"), re.MULTILINE)
    variable, usual = found
    return os.environ.get(variable) or str(usual)


def pinned(name: str) -> str:
    """The digest in an image's name, "" where there is none."""
    found = _PINNED.search(name)
    return found[1] if found else ""


def identity(name: str, image: Image) -> str:
    """What a base image counts as in keys: the registry's digest of it, or its id where it came from no registry."""
    return pinned(name) or next((pinned(pulled) for pulled in sorted(image.names_pulled)), image.id)


def facts(backend: str, image: Image) -> dict[str, str]:
    """What an image that is ready was made of, as far as the results of its stages could depend on it."""
    return {**_made_of(backend), "base": image.labels[BASE_LABEL], "platform": image.platform}


def source_digest(backend: str) -> str:
    """Digest of all that an image is built of, kept in a label, so that an image of other sources is known."""
    code = keys.code_digest(image_code(backend))
    return keys.digest({**_made_of(backend), "base": base_name(backend), "code": code})


def lock_digest(backend: str) -> str:
    """sha256 of a backend's lock file."""
    return hashlib.sha256(lock_file(backend).read_bytes()).hexdigest()


def _made_of(backend: str) -> dict[str, str]:
    """The digests of the recipe, of the lock file, and of packages that it does not hold and where they come from."""
    packages = unlocked(backend)
    files = {str(path.relative_to(ROOT / "docker")): path for path in recipe(backend)}
    known = {"lock": lock_digest(backend), "recipe": keys.code_digest(files)}
    return known | ({"unlocked": packages.digest()} if packages else {})


def recipe(backend: str) -> Iterator[Path]:
    """The Dockerfile, and the scripts and lists that it uses."""
    yield _dockerfile()
    for ending in ("py", "sh", "txt"):
        yield from (ROOT / "docker").glob(f"*.{ending}")
    yield from backend_folder(backend).glob("install-*.sh")


def _dockerfile() -> Path:
    return ROOT / "docker" / "Dockerfile"
