"""A catalogue model that is not here is fetched while environments are made."""

from __future__ import annotations

import threading

import pytest
from small_fleet import write_tiny

from bertbuild.commands import ahead, build
from bertbuild.config import Settings
from bertbuild.errors import DownloadError
from bertbuild.plans.plan import IrRequest
from bertbuild.session import Session
from bertbuild.sources import Wanted

MODEL = "uncased_L-2_H-128_A-2"


@pytest.fixture
def session(monkeypatch, isolation, events, tmp_path):
    monkeypatch.setattr(Session, "isolation", isolation)
    return Session(settings=Settings(artifacts=tmp_path / "artifacts", jobs=2), report=events)


@pytest.fixture
def fetching(monkeypatch):
    """Fetching a model is what is given; it is put where a fetched one is."""

    def play(does):
        def fetch_model(name, _settings, store, _report):
            assert name == MODEL
            does()
            folder = store.root / "downloads" / MODEL
            if not folder.exists():
                write_tiny(folder)
            return folder

        monkeypatch.setattr(ahead, "fetch_model", fetch_model)
        monkeypatch.setattr("bertbuild.sources.fetch_model", fetch_model)

    return play


def test_an_environment_is_made_while_the_model_comes(session, fetching, isolation, events):
    made = threading.Event()
    prepare = isolation.prepare

    def prepared(backend, on_line):
        prepare(backend, on_line)
        made.set()

    def wait():
        assert made.wait(10)

    isolation.prepare = prepared
    fetching(wait)
    build.build(session, Wanted(model=MODEL), IrRequest())
    assert events.of("result")[0]["model"] == MODEL
    assert set(isolation.prepared) == {"tf1", "openvino"}
    assert len(isolation.prepared) == 2


def test_a_model_that_is_here_is_not_waited_for(session, fetching, monkeypatch):
    fetching(lambda: None)
    build.build(session, Wanted(model=MODEL), IrRequest())
    monkeypatch.setattr(ahead, "fetched_ahead", lambda *_: pytest.fail("it is here"))
    build.build(session, Wanted(model=MODEL), IrRequest())


def test_a_model_that_cannot_be_had_is_the_error(session, fetching):
    def fail():
        raise DownloadError("No.", next_step="Yes.")

    fetching(fail)
    with pytest.raises(DownloadError, match="No"):
        build.build(session, Wanted(model=MODEL), IrRequest())
