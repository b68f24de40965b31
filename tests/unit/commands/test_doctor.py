"""What doctor says of the Pythons that virtual environments need."""

from __future__ import annotations

from pathlib import Path

import pytest

from bertbuild.commands import doctor as diagnosis
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import CheckFailedError, InterpreterMissingError
from bertbuild.graph import processor
from bertbuild.isolation import virtual_environments
from bertbuild.isolation.fetching import OLDER, Fetcher


@pytest.fixture
def machine(monkeypatch, tmp_path, events):
    """Doctor on a machine without Docker: `here` are Pythons found, `offered` what uv lists, `barred` why not."""

    def look(*, here=(), offered=None, barred="", made=()):
        def find(version):
            if version not in here:
                raise InterpreterMissingError(f"Python {version} is not on this machine.", next_step="Install it.")
            return Path("/usr/bin/python" + version), version + ".9"

        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere")
        monkeypatch.setattr(virtual_environments, "find_interpreter", find)
        monkeypatch.setattr(Fetcher, "offered_by", lambda _self, version: (offered or {}).get(version, ""))
        monkeypatch.setattr(Fetcher, "barred", lambda _self, _version: barred)
        monkeypatch.setattr(virtual_environments.VenvIsolation, "is_ready", lambda _self, backend: backend in made)
        monkeypatch.setattr(diagnosis, "_processor", lambda: diagnosis.Finding(what="processor", ok=True, text=""))
        settings = Settings(artifacts=tmp_path, environments=tmp_path / "environments")
        failed = ""
        try:
            diagnosis.doctor(Session(settings=settings, report=events))
        except CheckFailedError as error:
            failed = str(error)
        findings = {finding["what"]: finding for finding in events[-1]["findings"]}
        return findings, events[-1]["usable"], failed, events[-1].get("lines", [])[:1]

    return look


def test_a_machine_with_both_has_all(machine):
    findings, usable, _, lines = machine(here=("3.7", "3.11"))
    assert findings["Python 3.7"]["text"] == "3.7.9 at /usr/bin/python3.7"
    assert "without Python 3.7" not in findings
    assert usable == ["venv"]
    assert lines == ["builds can run with: venv"]


def test_what_uv_would_fetch_is_called_untried(machine):
    findings, usable, _, lines = machine(offered={"3.7": OLDER, "3.11": "uv"})
    text = "not here; uv 0.6.17 (fetched first, by hash) would fetch it when needed (not tried)"
    assert findings["Python 3.7"] == {
        "what": "Python 3.7",
        "ok": True,
        "text": text,
        "needed_for": "",
        "untried": True,
    }
    assert findings["Python 3.11"]["text"] == "not here; uv would fetch it when needed (not tried)"
    assert "TensorFlow 2.20 in v1 mode" in findings["without Python 3.7"]["text"]
    assert usable == ["venv"]
    assert lines == ["builds can run with: venv (once Python 3.11 is fetched; not tried)"]


@pytest.mark.parametrize(
    ("offered", "barred", "reason"),
    [
        ({"3.7": OLDER}, "offline", "not here and not to be had: offline\nInstall it."),
        ({}, "", "not here and not to be had: no uv offers it for this machine\nInstall it."),
    ],
    ids=["barred", "not offered"],
)
def test_without_python_37_it_says_what_works_and_what_does_not(machine, offered, barred, reason):
    findings, usable, _, _ = machine(here=("3.11",), offered=offered, barred=barred)
    assert (findings["Python 3.7"]["ok"], findings["Python 3.7"]["text"]) == (False, reason)
    without = findings["without Python 3.7"]["text"]
    for words in ("TensorFlow 2.20 in v1 mode", "neuron-ready's proof", "finetune", "Docker"):
        assert words in without
    assert (findings["environment tf1"]["ok"], findings["environment tf2"]["ok"]) == (False, True)
    assert findings["environment tf1"]["text"] == "cannot be made without Python 3.7"
    assert usable == ["venv"]


def test_virtual_environments_do_not_count_where_their_python_is_not_to_be_had(machine):
    findings, usable, failed, _ = machine(here=("3.7",), offered={"3.11": "uv"}, barred="offline")
    assert not findings["Python 3.11"]["ok"]
    assert usable == []
    assert failed == "Neither Docker nor virtual environments can be used on this machine as it is."


def test_environments_that_are_made_need_no_python_to_be_found(machine):
    findings, usable, _, _ = machine(barred="offline", made=("tf1", "openvino", "tf2"))
    assert findings["Python 3.7"]["text"].startswith("not found, but environments are made of one: tf1\n")
    assert findings["environment tf1"]["text"] == "made"
    assert usable == ["venv"]


def test_what_is_not_made_cannot_be_though_another_is_made_of_the_same_python(machine):
    findings, usable, _, _ = machine(here=("3.11",), offered={"3.7": OLDER}, barred="uv must not", made=("tf1",))
    assert findings["Python 3.7"]["text"] == (
        "not found, but environments are made of one: tf1\nno others can be made: uv must not\nInstall it."
    )
    neuron = findings["environment neuron"]
    assert (neuron["ok"], neuron["text"]) == (False, "cannot be made without Python 3.7")
    without = findings["without Python 3.7"]["text"]
    assert "the reference runs in TensorFlow 1.15" in without
    assert "does not: neuron-compile. Use a Python 3.7" in without
    assert usable == ["venv"]


def test_all_that_is_made_lacks_nothing(machine):
    findings, _, _, _ = machine(here=("3.11",), barred="uv must not", made=("tf1", "neuron"))
    assert "without Python 3.7" not in findings


def test_where_it_can_be_fetched_the_others_are_made_when_needed(machine):
    findings, _, _, _ = machine(here=("3.11",), offered={"3.7": OLDER}, made=("tf1",))
    assert findings["Python 3.7"]["text"] == "not found, but environments are made of one: tf1"
    assert findings["environment neuron"]["text"] == "not made yet; made when needed"


@pytest.mark.parametrize(("free", "ok", "can"), [(9, True, True), (4, False, True), (0.5, False, False)])
def test_little_space_is_advice_and_none_is_an_end(machine, monkeypatch, free, ok, can):
    usage = diagnosis.shutil.disk_usage("/")._replace(free=int(free * 1e9))
    monkeypatch.setattr(diagnosis.shutil, "disk_usage", lambda _place: usage)
    findings, usable, failed, _ = machine(here=("3.7", "3.11"))
    assert findings["disk"]["ok"] is ok
    assert (usable, bool(failed)) == ((["venv"], False) if can else ([], True))


@pytest.mark.parametrize(
    ("flags", "text"),
    [("sse4_2", "without AVX, which TensorFlow's packages need"), ("sse4_2 avx", "x86_64 with AVX, ")],
)
def test_a_processor_without_avx_is_told(tmp_path, monkeypatch, flags, text):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
    monkeypatch.setattr(processor, "CPUINFO", str(path))
    monkeypatch.setattr(diagnosis.platform, "machine", lambda: "x86_64")
    found = diagnosis._processor()
    assert found.text.startswith(text)
    assert found.ok == ("avx" in flags.split())
