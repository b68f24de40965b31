"""A CycloneDX bill of materials of each backend, from its lock file: same lock file, same bytes.

It says what was allowed into an image or virtual environment, not what an image's base brings.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bertbuild import keys as key
from bertbuild.backends import BACKENDS, excluded_file, lock_file, lock_name
from bertbuild.errors import LockFileError
from bertbuild.files.disk import write_atomically
from bertbuild.isolation.unlocked import Unlocked, unlocked
from bertbuild.json_text import parse_json
from bertbuild.store.store import translated_os_errors

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

FOLDER = "sbom"
"""Below the artifacts folder."""

_PACKAGE = re.compile(r"([A-Za-z0-9._-]+)==(\S+)((?: \\\n +--hash=sha256:[0-9a-f]{64})+)")
_ENTRY = re.compile(r"^[^\s#].*(?:\n[ \t].*)*", re.MULTILINE)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*", re.MULTILINE)
_UNLOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Materials:
    """What a backend is made of.

    Attributes:
        backend: its name.
        lock: sha256 of its lock file.
        name: of its SBOM, a file below `FOLDER`.
        sha256: of that file.
    """

    backend: str
    lock: str
    name: str
    sha256: str


def materials(backend: str, artifacts: Path) -> Materials:
    """What a backend is made of today; its SBOM is written where it is not there, or is not whole.

    Raises:
        StoreError: it cannot be written.
    """
    lock = lock_file(backend).read_bytes()
    text = sbom_of_today(backend)
    name = sbom_name(backend)
    path = artifacts / FOLDER / name
    with translated_os_errors(path):
        if not path.exists() or path.read_bytes() != text:
            write_atomically(path, text.decode())
    return Materials(
        backend=backend, lock=hashlib.sha256(lock).hexdigest(), name=name, sha256=hashlib.sha256(text).hexdigest()
    )


def sbom_name(backend: str) -> str:
    """The file of a backend's SBOM: named for its lock file, and for the versions of packages that it does not hold."""
    digest = hashlib.sha256(lock_file(backend).read_bytes()).hexdigest()
    packages = unlocked(backend)
    if packages is not None:
        digest = key.digest([digest, packages.requirements.read_text(encoding="utf-8")])
    return f"{backend}-{digest[:16]}.cdx.json"


def sbom_of_today(backend: str) -> bytes:
    """The SBOM of a backend as its files are now."""
    return _sbom(backend, lock_file(backend).read_bytes())


@lru_cache
def _sbom(backend: str, lock: bytes) -> bytes:
    excluded = excluded_file(backend)
    return sbom(
        backend,
        lock.decode(),
        python=BACKENDS[backend].python,
        excluded=frozenset(_NAME.findall(excluded.read_text(encoding="utf-8"))) if excluded else frozenset(),
        beyond=unlocked(backend),
    )


def sbom(
    backend: str, lock: str, *, python: str, excluded: frozenset[str] = frozenset(), beyond: Unlocked | None = None
) -> bytes:
    """CycloneDX 1.6 as JSON.

    Args:
        backend: its name.
        lock: the text of its lock file.
        python: the version of its interpreter.
        excluded: names of packages that are not installed though others ask for them.
        beyond: packages that are installed and that the lock file does not hold.

    Raises:
        LockFileError: a line of it is not a package with its hashes.
    """
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    digest = hashlib.sha256(lock.encode()).hexdigest()
    root = Component(
        name=f"bertbuild/{backend}",
        type=ComponentType.CONTAINER,
        bom_ref=f"bertbuild/{backend}",
        version=digest[:16],
        properties=[
            Property(name="bertbuild:lock:file", value=lock_name(backend)),
            Property(name="bertbuild:lock:sha256", value=digest),
        ],
    )
    components = [
        _python(python),
        *(_locked(*found) for found in _packages(backend, lock) if found[0] not in excluded),
        *(_unlocked(beyond) if beyond else ()),
    ]
    bom = Bom(components=components, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"bertbuild:sbom/{backend}/{digest}"))
    bom.metadata.component = root
    bom.register_dependency(root, components)
    value = parse_json(JsonV1Dot6(bom).output_as_string())
    del value["metadata"]["timestamp"]  # the time of writing says nothing about a lock file
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _packages(backend: str, lock: str) -> list[tuple[str, str, str]]:
    """Name, version and hashes of each package of a lock file."""
    found = []
    for entry in _ENTRY.findall(lock):
        package = _PACKAGE.fullmatch(entry)
        if package is None:
            raise LockFileError(
                f"{lock_name(backend)} has a line that is not a package with its hashes: {entry!r}.",
                next_step="Run: invoke lock",
            )
        found.append((package[1], package[2], package[3]))
    return found


def _python(version: str) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL(type="generic", name="python", version=version)
    return Component(name="python", type=ComponentType.PLATFORM, version=version, purl=purl, bom_ref=str(purl))


def _locked(name: str, version: str, hashes: str) -> Component:
    """A package with the sha256 of every file that may be installed of it; which one is the installer's choice."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL(type="pypi", name=name, version=version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(purl)),
        comment="the files that the lock file allows",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in _HASH.findall(hashes)],
    )
    return Component(
        name=name,
        type=ComponentType.LIBRARY,
        version=version,
        purl=purl,
        bom_ref=str(purl),
        external_references=[files],
    )


def _unlocked(packages: Unlocked) -> list[Component]:
    """Packages by version alone."""
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    found = []
    for name, version in _UNLOCKED.findall(packages.requirements.read_text(encoding="utf-8")):
        purl = PackageURL(type="pypi", name=name, version=version, qualifiers={"repository_url": packages.usual})
        why = "not in the lock file: only its maker's index has it, so its hashes are not known beforehand"
        found.append(
            Component(
                name=name,
                type=ComponentType.LIBRARY,
                version=version,
                purl=purl,
                bom_ref=str(purl),
                properties=[Property(name="bertbuild:unlocked", value=why)],
            )
        )
    return found
