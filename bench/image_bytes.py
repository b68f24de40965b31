"""What all images take together, against 443d240: `docker save` of the six, which writes each layer once.

    eval "$(.ci/base-images.sh)" && .venv/bin/python bench/image_bytes.py

Needs a container engine and the package index. Both sides are built on the same bases, by their own Dockerfiles, under
tags of their own, which go afterwards; neuron with stand-ins for the packages of AWS. Target: at most 0.8 times the
commit's bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, Targets, build_context, checked_out, machine, print_table

sys.path.insert(0, str(ROOT / "tests" / "stand_in_neuron"))

from wheels import build_wheels

TODAY = "443d240"
MOST = 0.8
BACKENDS = ("tf1", "neuron", "openvino", "mo", "tf2", "data")


def main() -> None:
    """Build both sides, measure, print, judge."""
    targets = Targets()
    with tempfile.TemporaryDirectory() as folder:
        trees = {TODAY: checked_out(TODAY, Path(folder) / "then"), "now": build_context(Path(folder) / "now")}
        images = {side: _build(tree, f"bytes-{side}") for side, tree in trees.items()}
    sizes = {side: _saved(names) for side, names in images.items()}
    alone = {side: [_saved([name]) for name in names] for side, names in images.items()}
    subprocess.run(["docker", "rmi", *images[TODAY], *images["now"]], check=True, stdout=subprocess.DEVNULL)
    print(machine())
    rows = [
        [name, _megabytes(then), _megabytes(now), ""] for name, then, now in zip(BACKENDS, *alone.values(), strict=True)
    ]
    ratio = sizes["now"] / sizes[TODAY]
    verdict = f"{ratio:.3f}; {targets.at_most('all images together', ratio, MOST)}"
    rows.append(["all six, each layer once", _megabytes(sizes[TODAY]), _megabytes(sizes["now"]), verdict])
    print_table(["image", f"MB at {TODAY}", "MB now", "now / then"], rows)
    targets.finish()


def _build(tree: Path, tag: str) -> list[str]:
    """Build all images of a checkout; gives their names."""
    build_wheels(tree / "docker" / "neuron" / "wheels")
    env = {**os.environ, "BERTBUILD_IMAGE_TAG": tag, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
    env.setdefault("BERTBUILD_CA_BUNDLE", os.environ.get("SSL_CERT_FILE", "/dev/null"))
    for backend in BACKENDS:
        subprocess.run(
            ["docker", "compose", "build", backend], cwd=tree, env=env, check=True, stdout=sys.stderr, stderr=sys.stderr
        )
    return [f"bertbuild/{backend}:{tag}" for backend in BACKENDS]


def _saved(names: list[str]) -> int:
    """Bytes that `docker save` writes of some images."""
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        return sum(map(len, iter(lambda: saving.stdout.read(1 << 20), b"")))


def _megabytes(size: int) -> str:
    return f"{size / 10**6:.0f}"


if __name__ == "__main__":
    main()
