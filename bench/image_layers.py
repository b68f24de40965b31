"""Two builds of each image without a cache: layers that differ, bit by bit, and entries of another date than all have.

    eval "$(.ci/base-images.sh)" && .venv/bin/python bench/image_layers.py [BACKEND …]

Needs a container engine and the package index. Both builds are of one copy of the sources and on the same base, under
tags of their own, which go afterwards; neuron with stand-ins for the packages of AWS. Target: no layer differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from common import ROOT, Targets, build_context, machine, print_table

sys.path.insert(0, str(ROOT / "tests" / "stand_in_neuron"))

from wheels import build_wheels

BACKENDS = ("data", "tf1", "neuron", "openvino", "openvino@2024.6", "mo", "tf2", "onnx", "hf-tf")
SIDES = ("layers-first", "layers-second")
DATE = 315532800
"""docker/Dockerfile's SOURCE_DATE_EPOCH."""


def main() -> None:
    """Build, compare, print, judge."""
    targets, rows = Targets(), []
    with tempfile.TemporaryDirectory() as folder:
        tree = build_context(Path(folder))
        build_wheels(tree / "docker" / "neuron" / "wheels")
        for backend in sys.argv[1:] or BACKENDS:
            first, second = (_layers(tree, backend, side) for side in SIDES)
            of_base = len(_inspected(os.environ[_base(tree, backend)]))
            differ = sum(one != other for one, other in zip(first, second, strict=True))
            undated = _undated(_name(backend, SIDES[0]), of_base)
            verdict = f"{differ}; {targets.at_most(f'layers of {backend} that differ', differ, 0, 0)}"
            rows.append([backend, len(first) - of_base, verdict, len(undated)])
            print(backend, verdict, *undated[:8], file=sys.stderr)
            names = [_name(backend, side) for side in SIDES]
            subprocess.run(["docker", "rmi", *names], check=True, stdout=subprocess.DEVNULL)
    print(machine())
    print_table(["image", "layers above the base", "that differ", "entries of another date"], rows)
    targets.finish()


def _base(tree: Path, backend: str) -> str:
    """The variable that names a backend's base image."""
    text = (tree / "compose.yaml").read_text(encoding="utf-8")
    service = text[text.index(f"\n  {backend.partition('@')[0]}:\n") :]
    return "BERTBUILD_BASE_PYTHON" + service.partition("BASE: base")[2].partition(" ")[0].strip()


def _name(backend: str, tag: str) -> str:
    return f"bertbuild/{backend.replace('@', '-')}:{tag}"


def _layers(tree: Path, backend: str, tag: str) -> list[str]:
    """Build an image of a checkout without a cache; gives the digests of its layers."""
    service, _, version = backend.partition("@")
    env = {**os.environ, "BERTBUILD_IMAGE_TAG": tag, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    command = ["docker", "compose", "build", "--no-cache", service]
    env |= {"BERTBUILD_BACKEND_VERSION": version} if version else {}
    subprocess.run(command, cwd=tree, env=env, check=True, stdout=sys.stderr, stderr=sys.stderr)
    return _inspected(_name(backend, tag))


def _inspected(name: str) -> list[str]:
    command = ["docker", "image", "inspect", "--format={{json .RootFS.Layers}}", name]
    return list(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def _undated(name: str, of_base: int) -> list[str]:
    """Entries of an image's own layers whose time is another than the one date."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE) as saving:
            subprocess.run(["tar", "-x", "-C", folder], stdin=saving.stdout, check=True)
        (manifest,) = json.loads((Path(folder) / "manifest.json").read_bytes())
        for layer in manifest["Layers"][of_base:]:
            with tarfile.open(Path(folder) / layer) as entries:
                found += [entry.name for entry in entries if entry.mtime != DATE]
    return found


if __name__ == "__main__":
    main()
