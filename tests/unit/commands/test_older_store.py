"""A store that commit 443d240 made, its stages played: commands of now read it, and say what is made again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from small_fleet import write_tiny

from bertbuild.project import ROOT

OLD = "443d240"
BUILD = ("build-ir", "--checkpoint", "tiny")
pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The files of that commit."""
    archive = subprocess.run(["git", "archive", OLD], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"this checkout does not have the commit {OLD}")
    folder = tmp_path_factory.mktemp("old")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


@pytest.fixture
def run(old, tmp_path):
    """Runs a command of now, or of then, to its end; gives its lines and its last event."""
    write_tiny(tmp_path / "tiny")

    def run(*words, then=False):
        root, doubles = (old, old / "tests" / "unit" / "host") if then else (ROOT, ROOT / "tests" / "shared")
        environ = {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"], "PYTHONPATH": f"{root}:{doubles}"}
        command = [sys.executable, str(doubles / "host_program.py"), *words, "--json"]
        ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, encoding="utf-8", check=False)
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout[-2000:] + ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines()]

    run(*BUILD, then=True)
    return run


def test_what_looks_reads_it(run):
    (target,) = run("status")[-1]["targets"]
    assert (target["model"], target["target"], target["damage"]) == ("tiny", "ir-fp32", [])
    assert target["max_abs"] == 0
    assert "key format: 1 → 2, another version of bertbuild made it" in "\n".join(run("why", "ir-fp32")[-1]["lines"])
    assert run("verify-store")[-1]["event"] == "result"
    assert run("log", "ir-fp32")[-1]["lines"]
    assert run("gc", "--dry-run")[-1]["event"] == "result"
    assert run("report")[-1]["event"] == "result"


def test_a_build_says_once_and_first_why_all_is_made_again(run, tmp_path):
    before = (tmp_path / "artifacts" / "out" / "tiny" / "ir-fp32").resolve()
    events = run(*BUILD)
    (told,) = (event for event in events if event["event"] == "note" and "another version" in event["text"])
    assert told["text"] == (
        "another version of bertbuild made results in this store (key format 1, now 2): what is asked for is built "
        "again, and gc removes the old results"
    )
    begun = [event for event in events if event["event"] == "stage" and event["state"] == "started"]
    assert events.index(told) < events.index(begun[0])
    assert before != (tmp_path / "artifacts" / "out" / "tiny" / "ir-fp32").resolve()
    again = run(*BUILD)
    assert not [event for event in again if event["event"] == "note" or event.get("state") == "started"]
    gone = run("gc", "--keep", "targets")[-1]
    assert gone["event"] == "result"
    assert not before.exists()
    assert not [event for event in run(*BUILD) if event.get("state") == "started"]
