"""Which isolation `auto` is: a store stays with what its last build used, as long as that can be used."""

from __future__ import annotations

import pytest
from host_doubles import freezing

from bertbuild.commands import doctor as diagnosis
from bertbuild.commands.forecast import looking
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import EngineError
from bertbuild.isolation import docker_engine, interpreters, python_places
from bertbuild.isolation.choice import LAST, Choice, choose, last_used
from bertbuild.isolation.venv import MARKER

WITHOUT = {"docker": "no Docker engine answers", "venv": "no Python for virtual environments is found"}
USED = "the last build of this store used"


@pytest.mark.parametrize(
    ("last", "docker", "venv", "chosen"),
    [
        ("", True, True, Choice(name="docker", why="an engine answers")),
        ("", False, True, Choice(name="venv", why="no Docker engine answers")),
        ("", False, False, Choice(name="venv", why="no Docker engine answers")),
        ("venv", True, True, Choice(name="venv", why=f"{USED} virtual environments")),
        ("venv", False, True, Choice(name="venv", why=f"{USED} virtual environments")),
        ("venv", False, False, Choice(name="venv", why=f"{USED} virtual environments")),
        (
            "venv",
            True,
            False,
            Choice(
                name="docker",
                why=f"{USED} virtual environments, and no Python for virtual environments is found",
                other=True,
            ),
        ),
        ("docker", True, True, Choice(name="docker", why=f"{USED} Docker")),
        (
            "docker",
            False,
            True,
            Choice(name="venv", why=f"{USED} Docker, and no Docker engine answers", other=True),
        ),
    ],
)
def test_auto(last, docker, venv, chosen):
    there = {"docker": docker, "venv": venv}
    assert choose("auto", last, lambda name: "" if there[name] else WITHOUT[name]) == chosen


@pytest.mark.parametrize("wanted", ["docker", "venv"])
@pytest.mark.parametrize("last", ["", "docker", "venv"])
def test_who_asks_for_one_gets_it_and_nothing_is_looked_for(wanted, last):
    def never(_name):
        raise AssertionError

    chosen = choose(wanted, last, never)
    assert (chosen.name, chosen.why, chosen.other) == (wanted, "asked for", last not in ("", wanted))


def test_a_build_leaves_in_the_store_what_it_used(engine, isolation, source, root):
    isolation.name = "venv"
    assert last_used(root) == ""
    engine.run(freezing(source))
    assert last_used(root) == "venv"


@pytest.mark.parametrize("content", [b"", b"podman\n", b"\xff\xfe"])
def test_a_file_that_says_nothing_is_none(tmp_path, content):
    (tmp_path / LAST).write_bytes(content)
    assert last_used(tmp_path) == ""


@pytest.fixture
def session(monkeypatch, tmp_path, events):
    """A session of a store whose last build used what is named, on a machine where an engine answers."""

    def make(last, *, answers=True, **more):
        monkeypatch.setattr(docker_engine, "engine_answers", lambda: answers)
        (tmp_path / LAST).write_text(last + "\n")
        settings = Settings(artifacts=tmp_path, environments=tmp_path / "environments", **more)
        return Session(settings=settings, report=events)

    return make


def test_an_engine_that_appears_changes_nothing_where_environments_are_made(session, tmp_path):
    marker = tmp_path / "environments" / "tf1-0123" / MARKER
    marker.parent.mkdir(parents=True)
    marker.touch()
    assert session("venv").isolation.name == "venv"


def test_environments_that_could_be_made_again_count(session, monkeypatch, tmp_path):
    monkeypatch.setattr(interpreters, "candidates", lambda version: iter([tmp_path / f"python{version}"]))
    with pytest.raises(EngineError, match="no Python for virtual environments is found") as caught:
        _ = session("venv").isolation
    assert "--isolation docker" in caught.value.next_step
    python = tmp_path / "python3.11"
    python.write_text("#!/bin/sh\necho 3.11.9; echo $0\n")
    python.chmod(0o755)
    assert session("venv").isolation.name == "venv"


def test_results_of_another_place_are_made_anew_only_where_that_was_asked_for(session, events):
    with pytest.raises(EngineError) as caught:
        _ = session("docker", answers=False).isolation
    assert str(caught.value) == "The last build of this store used Docker, and no Docker engine answers."
    assert caught.value.next_step == ("Make it available, or make all again in virtual environments: --isolation venv.")
    assert session("docker", answers=False, isolation="venv").isolation.name == "venv"
    assert not events


def test_who_only_looks_is_told_in_one_line_that_another_place_cannot_be_asked(session, events):
    with looking(session("docker", answers=False)) as forecast:
        assert forecast.session.isolation.name == "venv"
    assert events.texts("note") == [f"{USED} Docker, and no Docker engine answers: its results are not checked"]


def test_doctor_says_which_and_why(session, events, monkeypatch):
    monkeypatch.setattr(python_places, "SYSTEM", ())
    monkeypatch.setattr(diagnosis, "_findings", lambda _session: iter(()))
    diagnosis.doctor(session("docker"))
    assert events[-1]["isolation"] == {"name": "docker", "why": f"{USED} Docker"}
    assert events[-1]["lines"][-1] == f"stages of this store run in docker: {USED} Docker"


def test_doctor_says_what_builds_wait_for(session, events, monkeypatch):
    monkeypatch.setattr(diagnosis, "_findings", lambda _session: iter(()))
    diagnosis.doctor(session("docker", answers=False))
    said = f"builds of this store wait for Docker, or --isolation venv: {USED} Docker, and no Docker engine answers"
    assert events[-1]["lines"][-1] == said
