"""The table of backends: the environments that stages run in. Data; a version of one is a row and a lock file.

docker/FOLDER holds a backend's stages, what its image is built of, and its lock file (requirements.txt, resolved from
requirements.in). A version beside another has the same stages, and its lock file in docker/FOLDER/VERSION.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bertbuild.errors import LockFileError, UsageError
from bertbuild.names import did_you_mean
from bertbuild.project import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """An environment that stages run in.

    Attributes:
        folder: of docker/, which has its stages.
        package: what it is there for.
        version: of that package, as far as people name it: "2024.6" of 2024.6.0.
        python: the version of its Python.
        beside: whether it stands beside another version, which is used where none is asked for.
        usual: whether it is made where none is named; else when it is named, or needed.
        avx: whether it has TensorFlow, whose packages are compiled for processors with AVX.
        asks_too: the backend whose targets it asks as well, where that is asked for (`verify --runtime`); its stage
            `infer` takes the same inputs and parameters.
        slow_imports: modules of its packages that its stages import and that take long; where stages are processes of
            this machine (virtual environments), one imports them for all.
        import_variables: what stages set in their environment before they import these.
    """

    folder: str
    package: str
    version: str
    python: str
    beside: bool = False
    usual: bool = True
    avx: bool = False
    asks_too: str = ""
    slow_imports: tuple[str, ...] = ()
    import_variables: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What commands, steps and records call it."""
        return f"{self.folder}@{self.version}" if self.beside else self.folder

    @property
    def image(self) -> str:
        """What its image is called, where no name has an @; the service of compose.yaml is called as the folder."""
        return self.name.replace("@", "-")

    @property
    def lock_folder(self) -> str:
        """The folder of docker/ that has its lock file."""
        return f"{self.folder}/{self.version}" if self.beside else self.folder


TENSORFLOW_VARIABLES = (("TF_CPP_MIN_LOG_LEVEL", "2"), ("TF_USE_LEGACY_KERAS", "1"))

BACKENDS: dict[str, Backend] = {
    row.name: row
    for row in (
        Backend(folder="data", package="tokenizers", version="0.21", python="3.11"),
        Backend(
            folder="tf1",
            package="tensorflow",
            version="1.15",
            python="3.7",
            avx=True,
            slow_imports=("tensorflow",),
            import_variables=TENSORFLOW_VARIABLES,
        ),
        Backend(folder="openvino", package="openvino", version="2026.4", python="3.11", slow_imports=("openvino",)),
        Backend(
            folder="openvino",
            package="openvino",
            version="2024.6",
            python="3.11",
            beside=True,
            slow_imports=("openvino",),
        ),
        Backend(folder="mo", package="openvino-dev", version="2024.6", python="3.11", avx=True),
        Backend(
            folder="tf2",
            package="tensorflow-cpu",
            version="2.20",
            python="3.11",
            avx=True,
            slow_imports=("tensorflow", "official.legacy.bert.bert_models"),
            import_variables=TENSORFLOW_VARIABLES,
        ),
        Backend(folder="onnx", package="onnxruntime", version="1.32", python="3.11"),
        Backend(folder="hf-tf", package="transformers", version="4.57", python="3.11", usual=False, avx=True),
        Backend(
            folder="hf-torch",
            package="transformers",
            version="5.24",
            python="3.11",
            usual=False,
            asks_too="hf-tf",
            slow_imports=("torch", "transformers"),
        ),
        Backend(folder="neuron", package="tensorflow-neuron", version="1.15", python="3.7", avx=True),
    )
}
"""By name."""

_OF_VERSIONS = {row.folder for row in BACKENDS.values() if row.beside}
NAMES = (*BACKENDS, *(f"{row.folder}@{row.version}" for row in BACKENDS.values() if row.name in _OF_VERSIONS))
"""What people may call them: of what has several versions, the one that is used unasked by its version too."""

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def versions(folder: str) -> tuple[str, ...]:
    """The versions there are of a backend; the first is used where none is asked for."""
    return tuple(row.version for row in BACKENDS.values() if row.folder == folder)


def of_version(folder: str, version: str) -> str:
    """The name of a backend of a version.

    Raises:
        UsageError: there is none.
    """
    for row in BACKENDS.values():
        if (row.folder, row.version) == (folder, version):
            return row.name
    known = versions(folder)
    raise UsageError(
        f"There is no {folder} {version} here{did_you_mean(version, known)}",
        next_step=f"There are {', '.join(known)}; docs/backends.md tells how another one is added.",
    )


def canonical(name: str) -> str:
    """The name of the row that is meant: NAME@VERSION of the version that is used unasked is NAME."""
    folder, _, version = name.partition("@")
    return folder if folder in BACKENDS and BACKENDS[folder].version == version else name


def backend_folder(backend: str) -> Path:
    """The folder that holds a backend's stages, and what its image is built of."""
    return ROOT / "docker" / BACKENDS[backend].folder


def requirements_file(backend: str) -> Path:
    """What a backend's lock file is resolved from."""
    return ROOT / "docker" / BACKENDS[backend].lock_folder / "requirements.in"


def lock_file(backend: str) -> Path:
    """The backend's packages, every one with its version and hashes."""
    return ROOT / "docker" / BACKENDS[backend].lock_folder / "requirements.txt"


def excluded_file(backend: str) -> Path | None:
    """Names of packages that others of the backend ask for and that it does not need, if it has such a list."""
    path = backend_folder(backend) / "excluded.txt"
    return path if path.exists() else None


def requirements_name(backend: str) -> str:
    """The first of these files as messages name it."""
    return f"docker/{BACKENDS[backend].lock_folder}/requirements.in"


def lock_name(backend: str) -> str:
    """The lock file as statements and messages name it."""
    return f"docker/{BACKENDS[backend].lock_folder}/requirements.txt"


def require_locked(backend: str) -> None:
    """Make sure that the lock file holds every version its requirements.in asks for, without asking any index.

    Raises:
        LockFileError: it does not, so that nothing should be made from it.
    """
    there = _versions(backend)
    wanted = _PINNED.findall(requirements_file(backend).read_text(encoding="utf-8"))
    drifted = [f"{name}=={version}" for name, version in wanted if there.get(_normal(name)) != version]
    if drifted:
        raise LockFileError(
            f"{requirements_name(backend)} asks for {', '.join(drifted)}, which its lock file does not hold.",
            next_step="Run: invoke lock",
        )


@cache
def locked(backend: str) -> dict[str, str]:
    """The version of each package in a backend's lock file."""
    return _versions(backend)


def _versions(backend: str) -> dict[str, str]:
    return dict(_PINNED.findall(lock_file(backend).read_text(encoding="utf-8")))


def _normal(name: str) -> str:
    """A package's name as lock files write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
