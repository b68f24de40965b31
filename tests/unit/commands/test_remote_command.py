from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

pytest.importorskip("securesystemslib")

from host_doubles import Events, FakeIsolation
from remote_doubles import keys_in

from bertbuild.commands import remote as command
from bertbuild.commands.forecast import looking
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.engine.engine import Engine
from bertbuild.errors import NotReproducibleError, RemoteError, UsageError
from bertbuild.kinds.ir import plan_ir
from bertbuild.kinds.ir_request import Ir
from bertbuild.store.store import Store


@pytest.fixture
def place(tmp_path):
    (tmp_path / "shared").mkdir()
    return tmp_path / "shared"


@pytest.fixture
def settings(place, root, tmp_path):
    key, public = keys_in(tmp_path / "keys")
    return Settings(artifacts=root, remote=f"file://{place}", remote_trust=public, remote_key=key)


@pytest.fixture
def session(settings):
    return Session(settings=settings, report=Events())


@pytest.fixture
def built(store, isolation, events, source, probes):
    Engine(store, isolation, events).build(plan_ir(source, Ir(route="reshapeable"), probes), probes)


@pytest.mark.usefixtures("built")
def test_what_is_built_is_put_there_once(session, place):
    assert [row["there"] for row in command.status(session, ()).targets] == [0]
    dry = command.push(session, (), dry_run=True)
    assert {row["state"] for row in dry.results} == {"would be sent"}
    assert not list(place.iterdir())
    first = command.push(session, (), dry_run=False)
    assert [row["state"] for row in first.results] == ["pushed"] * 5  # four stages and the verdict
    assert {row["name"].rpartition("-")[0] for row in first.results} == {
        "freeze",
        "ir",
        "tf1-infer",
        "openvino-infer",
        "parity",
    }
    assert {row["state"] for row in command.push(session, (), dry_run=False).results} == {"there"}
    (row,) = command.status(session, ()).targets
    assert (row["there"], row["results"], row["unused"]) == (4, 4, [])
    assert session.report.of("progress")


@pytest.mark.usefixtures("built")
def test_what_a_stranger_put_there_is_told(session, settings, tmp_path):
    command.push(session, (), dry_run=False)
    other = Settings(artifacts=settings.artifacts, remote=settings.remote, remote_trust=keys_in(tmp_path / "new")[1])
    (row,) = command.status(Session(settings=other, report=Events()), ()).targets
    assert (row["there"], row["unused"]) == (0, ["no key in trust signed it"])


@pytest.mark.usefixtures("built")
def test_other_results_under_the_same_keys_are_told_where_they_must_be_the_same(
    session, settings, tmp_path, source, probes
):
    command.push(session, (), dry_run=False)
    isolation = FakeIsolation()
    run = isolation.run

    def run_otherwise(stage_run, on_event):
        run(stage_run, on_event)
        if stage_run.stage == "freeze":
            (stage_run.work / "out" / "signature.json").write_text('{"other": 1}')

    isolation.run = run_otherwise
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Engine(Store(elsewhere), isolation, Events()).build(plan_ir(source, Ir(route="reshapeable"), probes), probes)
    other = replace(settings, artifacts=elsewhere)
    with pytest.raises(NotReproducibleError, match="1 result of the remote store") as raised:
        command.push(Session(settings=other, report=Events()), (), dry_run=False)
    assert raised.value.details.startswith("freeze: the two cannot be compared")  # these graphs are none


@pytest.mark.usefixtures("built")
def test_old_results_that_no_target_here_needs_are_removed(session, settings, place, tmp_path):
    command.push(session, (), dry_run=False)
    empty = replace(settings, artifacts=tmp_path / "no", remote_key=None)
    stranger = Session(settings=empty, report=Events())
    assert command.gc(stranger, "", dry_run=False).removed == ()  # made just now
    then = time.time() - 2 * 86400
    for path in (place / "blobs").glob("*/*"):
        os.utime(path, (then, then))
    dry = command.gc(stranger, "targets", dry_run=True)
    assert (len(dry.removed), dry.kept) == (len(list((place / "results").iterdir())), 0)
    gone = command.gc(stranger, "targets", dry_run=False)
    assert gone.removed == dry.removed
    assert gone.freed > 0
    assert not list((place / "results").iterdir())
    assert len(list((place / "blobs").glob("*/*"))) == 1  # the empty config


@pytest.mark.parametrize("keep", ["3", "x"])
def test_what_a_remote_store_cannot_count_is_refused(session, keep):
    with pytest.raises(UsageError):
        command.gc(session, keep, dry_run=True)


def test_without_a_remote_store_there_is_nothing_to_ask(root):
    with pytest.raises(UsageError, match="There is no remote store"):
        command.push(Session(settings=Settings(artifacts=root), report=Events()), (), dry_run=True)


@pytest.mark.usefixtures("built")
def test_without_a_key_nothing_is_put_there(settings, root):
    reader = Settings(artifacts=root, remote=settings.remote, remote_trust=settings.remote_trust)
    with pytest.raises(RemoteError, match="no key is given"):
        command.push(Session(settings=reader, report=Events()), (), dry_run=False)


def test_a_key_is_made_once(session, tmp_path):
    made = command.keygen(session, str(tmp_path / "k.pem"))
    assert made.public in session.report.of("result")[0]["lines"][2]
    with pytest.raises(UsageError, match="exists already"):
        command.keygen(session, str(tmp_path / "k.pem"))


def test_who_only_looks_hears_why_results_are_not_used_and_nothing_else(session):
    with looking(session) as forecast:
        for event in ("note", "warning", "stage"):
            forecast.session.report({"event": event, "text": "1 result not used: no key in trust signed it"})
    assert [event["event"] for event in session.report] == ["warning"]
