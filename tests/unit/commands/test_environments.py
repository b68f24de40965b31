"""Which environments are made where none is named."""

import pytest

from bertbuild.backends import BACKENDS
from bertbuild.cli.tasks import BACKEND
from bertbuild.commands.environments import images
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import UsageError
from bertbuild.isolation import docker_engine
from bertbuild.isolation.unlocked import unlocked


def test_the_help_names_those_that_are_made_where_none_is_named():
    usual = [name for name, row in BACKENDS.items() if row.usual and not row.beside and unlocked(name) is None]
    assert f"(default: {', '.join(usual)})" in BACKEND.about


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"isolation": "venv", "remote": "oci://localhost/r"},
            "Images are pushed and pulled, and stages run in virtual",
        ),
        ({"remote": "s3://bucket/r"}, "the remote store is s3://bucket/r"),
        ({"remote": "file:///r"}, "the remote store is file:///r"),
        ({}, "the remote store is not named"),
        ({"remote": "oci://localhost/r", "offline": True}, "the network must not be used"),
    ],
)
@pytest.mark.parametrize("what", [{"push": True}, {"pull": True}])
def test_images_go_to_a_registry_alone(root, events, monkeypatch, settings, told, what):
    pytest.importorskip("obstore")
    monkeypatch.setattr(docker_engine, "require_engine", lambda: pytest.fail("the engine was asked"))
    session = Session(settings=Settings(artifacts=root, **{"isolation": "docker", **settings}), report=events)
    with pytest.raises(UsageError, match=told):
        images(session, ("data",), **what)
