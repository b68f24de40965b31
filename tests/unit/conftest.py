from __future__ import annotations

import pytest
from disks import small_disks
from host_doubles import Events, FakeIsolation, checkpoint_source, probes_file
from hypothesis import settings

from bertbuild import config
from bertbuild.engine.engine import Engine
from bertbuild.report.text import TextReporter
from bertbuild.store.store import Store

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
    """A store that is there, with nothing in it."""
    root.mkdir()
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
def memory():
    """A remote store's place, in memory."""
    from remote_doubles import Memory

    return Memory()


@pytest.fixture
def remote(memory, tmp_path):
    """The remote store there; it trusts the key that it signs with, keys/key.pem."""
    from remote_doubles import results_over

    return results_over(memory, tmp_path / "keys")


@pytest.fixture
def source(tmp_path):
    return checkpoint_source(tmp_path)


@pytest.fixture
def probes(tmp_path):
    return probes_file(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of its own; skipped where that is not allowed."""
    with small_disks(tmp_path) as mount:
        yield mount


@pytest.fixture
def shown(capfd):
    """What people see of events on a pipe: stdout, stderr."""

    def run(*events):
        reporter = TextReporter()
        for event in events:
            reporter(event)
        reporter.close()
        return capfd.readouterr()

    return run
