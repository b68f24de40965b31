from __future__ import annotations

import importlib.metadata
import subprocess

import pytest
from host_doubles import Events

from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.development import checks
from bertbuild.errors import CheckFailedError


@pytest.mark.parametrize(
    ("faults", "folder", "told"), [(False, "tests/unit", None), (True, "tests/faults", "whole")], ids=["unit", "faults"]
)
def test_the_fault_tests_are_whole_by_their_flag_alone(monkeypatch, faults, folder, told):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda words, **options: called.append((words, options)) or 0)
    events = Events()
    checks.test(Session(settings=Settings(), report=events), "unit", faults=faults)
    ((words, options),) = called
    assert words[-1] == folder
    assert options["env"].get("BERTBUILD_TEST_FAULTS") == told
    assert events[-1]["suite"] == folder.removeprefix("tests/")


@pytest.mark.parametrize("check", [lambda session: checks.test(session, "unit", faults=False), checks.lint])
def test_without_the_developers_packages_it_says_how_to_install_them(monkeypatch, check):
    version = importlib.metadata.version

    def without_pytest(name):
        if name in ("pytest", "ruff"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_pytest)
    with pytest.raises(CheckFailedError) as raised:
        check(Session(settings=Settings(), report=Events()))
    assert str(raised.value) == "Packages that tests and lint need are not installed: pytest, ruff."
    assert raised.value.next_step == "pip install -e '.[dev]'"
