from __future__ import annotations

import subprocess

import pytest
from host_doubles import Events

from bertbuild.commands import checks
from bertbuild.config import Settings
from bertbuild.session import Session


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
