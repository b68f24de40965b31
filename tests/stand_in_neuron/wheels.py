"""Wheels made of the stand-ins' sources, with the standard library alone, the same bytes every time."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCAL = "+stand.in"
"""A local version label: `tensorflow-neuron==1.15.5.2.8.9.0` is satisfied, and nobody takes the wheel for AWS's."""

TENSORFLOW_NEURON = "1.15.5.2.8.9.0" + LOCAL
NEURON_CC = "1.13.5.0" + LOCAL

EPOCH = (1980, 1, 1, 0, 0, 0)
WRONG = 'raise ImportError("WRONG PACKAGE. Please install the package from Neuron Repository")\n'


def build_wheels(folder):
    """Write the stand-ins for tensorflow-neuron and neuron-cc into a folder; gives their paths."""
    api = (HERE / "tensorflow_neuron" / "api.py").read_text()
    forwarding = {f"{package}/neuron/__init__.py": api for package in ("tensorflow", "tensorflow_core")}
    return [
        _write(
            Path(folder),
            "tensorflow_neuron",
            TENSORFLOW_NEURON,
            _sources("tensorflow_neuron") | forwarding,
            summary="A STAND-IN for AWS's tensorflow-neuron, for tests: its NeuronOp runs on the CPU.",
            requires="tensorflow==1.15.5",
        ),
        _write(
            Path(folder),
            "neuron_cc",
            NEURON_CC,
            _sources("neuron_cc"),
            summary="A STAND-IN for AWS's neuron-cc, for tests: it compiles nothing.",
            script="neuron-cc = neuron_cc.main:main",
        ),
    ]


def stubs(folder):
    """Write wheels like those under these names on the public index, which only say that they are the wrong ones."""
    hollow = {
        f"{name}/__init__.py": WRONG for name in ("tensorflow_neuron", "tensorflow-neuron", "neuron_cc", "neuron-cc")
    }
    return [
        _write(Path(folder), "tensorflow_neuron", "1.0", hollow, summary="UNKNOWN"),
        _write(Path(folder), "neuron_cc", "1.0.post1", {"neuron-cc/__init__.py": WRONG}, summary="UNKNOWN"),
    ]


def _sources(package):
    return {f"{package}/{path.name}": path.read_text() for path in sorted((HERE / package).glob("*.py"))}


def _write(folder, package, version, files, *, summary, requires=None, script=None):
    name = package.replace("_", "-")
    info = f"{package}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    files = {
        **files,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: bertbuild tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script}\n"
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, text)
    return wheel


def _digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
