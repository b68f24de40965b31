"""Packages that no lock file can hold, since only their maker's index has them.

A backend has such packages when its folder holds a requirements-*.in. They come from the index that the Dockerfile
names as a build argument, or from the one that the variable of that name and _URL names, or from the wheels in its
folder, which then take the index's place. Their hashes are nobody's to lock: what is known of where they came from and
of what was installed goes into the keys of results.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bertbuild import keys
from bertbuild.addresses import bare
from bertbuild.backends import backend_folder
from bertbuild.files.digests import sha256_file
from bertbuild.project import own_file

_INDEX = re.compile(r"^ARG (BERTBUILD_\w+_INDEX)=(\S+)$", re.MULTILINE)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlocked:
    """A backend's packages without hashes, and where they come from.

    Attributes:
        requirements: the file that pins their versions.
        names: the packages in it.
        argument: the build argument that takes the index's address.
        variable: the environment variable that names an index of one's own, with credentials where it needs them.
        usual: the index of their maker.
        wheels_folder: where wheels can be laid.
        wheels: the wheels that lie there.
    """

    requirements: Path
    names: tuple[str, ...]
    argument: str
    variable: str
    usual: str
    wheels_folder: Path
    wheels: tuple[Path, ...]

    @property
    def index(self) -> str:
        """The index that is asked where there are no wheels."""
        return os.environ.get(self.variable) or self.usual

    @property
    def sentence(self) -> str:
        """Where the packages come from, for whoever could not get them."""
        folder = own_file(*self.wheels_folder.parts[-3:])
        return (
            f"{' and '.join(self.names)} come from {self.usual}; name another index that has them in {self.variable}, "
            f"or put their wheels into {folder}."
        )

    def digest(self) -> str:
        """Digest of what is asked for and of where it is looked for: the wheels' names and bytes, or the index."""
        found: dict[str, str] | str = {path.name: _sha256(path, path.stat().st_mtime_ns) for path in self.wheels}
        asked = self.requirements.read_text(encoding="utf-8")
        return keys.digest({"requirements": asked, "from": found or bare(self.index)})


def unlocked(backend: str) -> Unlocked | None:
    """The backend's packages without hashes, or None where its lock file holds all."""
    folder = backend_folder(backend)
    requirements = next(iter(sorted(folder.glob("requirements-*.in"))), None)
    if requirements is None:
        return None
    named = _INDEX.search((folder.parent / "Dockerfile").read_text(encoding="utf-8"))
    if named is None:
        raise LookupError(f"docker/Dockerfile names no index for {requirements.name}")
    return Unlocked(
        requirements=requirements,
        names=tuple(_REQUIREMENT.findall(requirements.read_text(encoding="utf-8"))),
        argument=named[1],
        variable=f"{named[1]}_URL",
        usual=named[2],
        wheels_folder=folder / "wheels",
        wheels=tuple(sorted((folder / "wheels").glob("*.whl"))),
    )


def installed_digest(site_packages: Path, locked: Iterable[str]) -> str:
    """Digest of the bytes that were installed beyond the lock file, as the packages' own RECORD files tell.

    Scripts are left out, since their first line holds the path of their environment, and so is what the installer
    writes about itself.

    Args:
        site_packages: the folder that packages are installed in.
        locked: `name==version` of the packages whose hashes were checked.
    """
    known = set(locked)
    lines = []
    for record in sorted(site_packages.glob("*.dist-info/RECORD")):
        if package_of(record.parent.name) not in known:
            lines += [
                line
                for line in record.read_text(encoding="utf-8").splitlines()
                if not line.startswith("..") and ".dist-info/" not in line and not line.split(",")[0].endswith(".pyc")
            ]
    return keys.digest(sorted(lines))


def package_of(folder_name: str) -> str | None:
    """`name==version` of a dist-info folder, None where it is no such name."""
    match = re.fullmatch(r"(.+)-([^-]+)\.dist-info", folder_name)
    return f"{match[1].lower().replace('_', '-')}=={match[2]}" if match else None


@lru_cache
def _sha256(path: Path, _mtime_ns: int) -> str:
    return sha256_file(path)
