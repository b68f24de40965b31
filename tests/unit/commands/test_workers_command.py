from __future__ import annotations

import pytest

pytest.importorskip("securesystemslib")

from host_doubles import Events, FakeIsolation
from remote_doubles import keys_in

from bertbuild.commands import session as sessions
from bertbuild.commands import workers
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import ClusterError, UsageError


@pytest.fixture
def session(tmp_path):
    key, public = keys_in(tmp_path / "keys")
    whole = {"remote": "file:///r", "remote_write": True, "remote_key": key, "remote_trust": public}
    whole["scheduler"] = "tcp://127.0.0.1:8786"

    def make(**settings):
        made = Session(settings=Settings(artifacts=tmp_path / "artifacts", **(whole | settings)), report=Events())
        made.__dict__["isolation"] = FakeIsolation()
        return made

    return make


NEEDS_A_STORE = "A cluster needs a remote store that is read and written"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"remote": ""}, NEEDS_A_STORE),
        ({"remote_write": False}, NEEDS_A_STORE),
        ({"remote_read": False}, NEEDS_A_STORE),
        ({"remote_trust": ""}, NEEDS_A_STORE),
        ({"remote": "oci://registry.example.com/team", "offline": True}, "A cluster needs the network"),
        ({"scheduler": "tcp://10.0.0.1:8786"}, "neither encrypted nor authenticated"),
    ],
)
def test_what_a_cluster_lacks_is_told_to_who_builds_and_to_who_offers(session, settings, told):
    with pytest.raises(UsageError, match=told):
        session(**settings).engine  # noqa: B018 - making it asks
    with pytest.raises(UsageError, match=told):
        workers.worker(session(**settings), ["data"], name="", death_timeout=1)


def test_a_worker_needs_a_scheduler_a_backend_and_a_second(session):
    for settings, backends, seconds, told in (
        ({"scheduler": ""}, ["data"], 1, "No scheduler is named"),
        ({}, [], 1, "nothing to offer"),
        ({}, ["dato"], 1, "There is no backend dato"),
        ({}, ["data"], 0, "--death-timeout must be at least 1"),
        ({"scheduler": "tls://10.0.0.1:8786"}, ["data"], 1, "needs certificates, and no folder of them is named"),
    ):
        with pytest.raises(UsageError, match=told):
            workers.worker(session(**settings), backends, name="", death_timeout=seconds)


def test_local_is_for_this_machine(session):
    with pytest.raises(UsageError, match="is for this machine alone"):
        workers.local(session(scheduler="tls://10.0.0.1:1"), ["data"], workers=1)
    with pytest.raises(UsageError, match="--workers must be at least 1"):
        workers.local(session(), ["data"], workers=0)


def test_without_the_extra_a_sentence_says_how_to_install_it(session, monkeypatch):
    monkeypatch.setattr(sessions, "find_spec", lambda _name: None)
    with pytest.raises(ClusterError, match=r"needs Dask\.distributed, which is not installed"):
        session().engine  # noqa: B018 - making it asks


def test_a_build_that_only_looks_asks_no_scheduler(session, tmp_path):
    looking = Session(settings=session().settings, report=Events(), only_looks=True)
    looking.__dict__["isolation"] = FakeIsolation()
    assert looking.engine._maker.dispatcher is None
    assert not (tmp_path / "artifacts" / "objects").exists()
