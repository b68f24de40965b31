"""docker/clean.sh, which every image's packages go through."""

from __future__ import annotations

import subprocess

from bertbuild.project import ROOT


def test_a_lock_that_is_not_mounted_ends_the_build(tmp_path):
    done = subprocess.run(
        ["sh", ROOT / "docker" / "clean.sh", tmp_path, "0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "The parts of the lock file are not mounted. Build the images with Docker and BuildKit (docs/docker.md).\n"
    )
