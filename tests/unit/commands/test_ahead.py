"""A model that was just fetched is imported while the environments of its targets are made."""

from __future__ import annotations

import threading

import pytest

from bertbuild.commands import ahead, target
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import DownloadError, StageError
from bertbuild.plans.plan import File, IrRequest, Plan, Step
from bertbuild.source.resolve import Wanted
from bertbuild.stages import STAGES

MODEL = "minilm-l6"


class StopHereError(Exception):
    """Ends a command after what this file is about."""


@pytest.fixture
def session(monkeypatch, isolation, events, tmp_path):
    def stop(*_args, **_more):
        raise StopHereError

    plan = Plan(
        model=MODEL, steps=(Step(id="import", stage="import", inputs={"huggingface": File(path=tmp_path, digest="0")}),)
    )
    monkeypatch.setattr(Session, "isolation", isolation)
    monkeypatch.setattr(ahead, "import_plan", lambda *_: plan)
    monkeypatch.setattr(ahead, "fetch_model", lambda *_: tmp_path)
    monkeypatch.setattr(ahead, "is_huggingface", lambda _folder: True)
    monkeypatch.setattr(target, "resolve", stop)
    return Session(settings=Settings(artifacts=tmp_path / "artifacts", jobs=2), report=events)


def built(session):
    with pytest.raises(StopHereError):
        target.build(session, Wanted(model=MODEL), IrRequest())


def test_an_environment_is_made_while_the_model_is_imported(session, isolation):
    made = threading.Event()
    prepare = isolation.prepare

    def prepared(backend, on_line):
        prepare(backend, on_line)
        if backend == "openvino":
            made.set()

    def wait(_run):
        assert made.wait(10)
        raise StageError("It has waited.")

    isolation.prepare = prepared
    isolation.behaviour["import"] = wait
    with pytest.raises(StageError, match="It has waited"):
        target.build(session, Wanted(model=MODEL), IrRequest())


def test_each_environment_is_made_once(session, isolation):
    built(session)
    assert isolation.runs == ["import"]
    assert sorted(isolation.prepared) == sorted({STAGES["import"].backend, "tf1", "openvino"})


def test_a_model_that_is_here_is_not_looked_at_ahead(session, monkeypatch):
    monkeypatch.setattr(target, "is_fetched", lambda *_: True)
    monkeypatch.setattr(ahead, "imported_ahead", lambda *_: pytest.fail("it is here"))
    built(session)


def test_a_checkpoint_needs_no_import(session, monkeypatch, isolation):
    monkeypatch.setattr(ahead, "is_huggingface", lambda _folder: False)
    built(session)
    assert isolation.prepared == []


def test_a_model_that_cannot_be_had_is_the_error(session, monkeypatch):
    def fail(*_):
        raise DownloadError("No.", next_step="Yes.")

    monkeypatch.setattr(ahead, "fetch_model", fail)
    with pytest.raises(DownloadError, match="No"):
        target.build(session, Wanted(model=MODEL), IrRequest())
