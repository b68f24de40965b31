from __future__ import annotations

import subprocess

import pytest
from host_doubles import Events, FakeIsolation, checkpoint_source, probes_file
from hypothesis import settings

from bertbuild import config
from bertbuild.engine import Engine
from bertbuild.store import Store

settings.register_profile("quick", max_examples=25, deadline=None)
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """The settings of whoever runs the tests do not reach them."""
    for variable in config.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def root(tmp_path):
    """Where the store is: a path that careless quoting breaks."""
    return tmp_path / "my artefacts – ü"


@pytest.fixture
def store(root):
    return Store(root)


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def isolation():
    return FakeIsolation()


@pytest.fixture
def engine(store, isolation, events):
    return Engine(store, isolation, events)


@pytest.fixture
def source(tmp_path):
    return checkpoint_source(tmp_path)


@pytest.fixture
def probes(tmp_path):
    return probes_file(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of its own, some kilobytes large; skipped where that is not allowed."""
    mounted = []

    def mount(options):
        folder = tmp_path / "small disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("no file system may be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
