"""File systems of a test's own."""

from __future__ import annotations

import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def small_disks(folder):
    """A function that mounts a file system in the folder, some kilobytes large; it skips where that is not allowed."""
    mounted = []

    def mount(options, name="small disk"):
        place = folder / name
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("no file system may be mounted here")
        mounted.append(place)
        return place

    try:
        yield mount
    finally:
        for place in mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
