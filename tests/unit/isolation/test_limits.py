"""Limits of containers that are none are refused by the name of their variable, before anything is started."""

import pytest

from bertbuild.config import Settings
from bertbuild.errors import EngineError, UsageError
from bertbuild.isolation import docker, docker_engine
from bertbuild.isolation.limits import require_limits

WRONG = {
    "BERTBUILD_MEMORY": ["abc", "4m", "63m", "-1", "1e9", "16 gigabytes", "16x"],
    "BERTBUILD_TMP": ["abc", "-1g"],
    "BERTBUILD_PIDS": ["abc", "-1", "1.5"],
    "BERTBUILD_CPUS": ["abc", "-1", "1e1"],
}
RIGHT = {
    "BERTBUILD_MEMORY": ["", "0", "64m", "8g", "8G", "16gb", "16GiB", "1.5 g", "8589934592"],
    "BERTBUILD_TMP": ["", "1g", "200m"],
    "BERTBUILD_PIDS": ["", "0", "2048"],
    "BERTBUILD_CPUS": ["", "0", "1.5", "2"],
}


def cases(table):
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), cases(WRONG))
def test_what_is_no_limit_is_refused_by_its_variable(name, value):
    with pytest.raises(UsageError, match=f"^{name} must be .*, not {value!r}\\.$"):
        require_limits(cpus=2, environ={name: value})


@pytest.mark.parametrize(("name", "value"), cases(RIGHT))
def test_what_docker_takes_is_taken(name, value):
    require_limits(cpus=2, environ={name: value})


def test_more_processors_than_the_engine_has_are_refused_once_it_is_asked():
    require_limits(environ={"BERTBUILD_CPUS": "64"})
    with pytest.raises(UsageError, match=r"BERTBUILD_CPUS must be at most 2, which the Docker engine has, not '64'"):
        require_limits(cpus=2, environ={"BERTBUILD_CPUS": "64"})


def test_they_are_judged_when_the_place_is_chosen_and_when_the_engine_is_first_asked(monkeypatch):
    there = docker_engine.Engine(name="Docker", version="28", rootless=False, cpus=2)
    monkeypatch.setattr(docker_engine, "require_engine", lambda: None)
    monkeypatch.setattr(docker_engine, "engine", lambda: there)
    monkeypatch.setenv("BERTBUILD_MEMORY", "abc")
    with pytest.raises(UsageError, match="BERTBUILD_MEMORY"):
        docker.isolation(Settings())
    monkeypatch.setenv("BERTBUILD_MEMORY", "1g")
    monkeypatch.setenv("BERTBUILD_CPUS", "64")
    place = docker.isolation(Settings())
    for use in (place.require, lambda: place.prepare("data", print)):
        with pytest.raises(UsageError, match="BERTBUILD_CPUS"):
            use()


def test_an_engine_of_another_kind_of_machine_is_told_before_anything_is_built(monkeypatch):
    there = docker_engine.Engine(name="Docker", version="28", rootless=False, architecture="aarch64")
    monkeypatch.setattr(docker_engine, "require_engine", lambda: None)
    monkeypatch.setattr(docker_engine, "engine", lambda: there)
    monkeypatch.delenv("DOCKER_DEFAULT_PLATFORM", raising=False)
    place = docker.isolation(Settings())
    for use in (place.require, lambda: place.prepare("data", print)):
        with pytest.raises(EngineError, match="machine is aarch64, and the images are for linux/amd64") as caught:
            use()
    assert "DOCKER_DEFAULT_PLATFORM=linux/amd64" in caught.value.next_step
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/amd64")
    place.require()
