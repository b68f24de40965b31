"""Images and containers of a backend whose packages no lock file holds; no engine is asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bertbuild import backends
from bertbuild.backends import backend_folder
from bertbuild.errors import ImageBuildError, StageError, StageKilledForMemoryError
from bertbuild.files.locking import if_free
from bertbuild.isolation import compose, docker_engine, image_builds, images
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.compose import ComposeIsolation
from bertbuild.project import ROOT

VARIABLE = "BERTBUILD_NEURON_INDEX_URL"


@pytest.fixture
def built(monkeypatch):
    """Builds an image with a docker that says some lines and fails; returns the error."""

    def build(backend, *lines):
        def run_lines(_command, *, env, on_line, **_others):
            for line in lines:
                on_line(line)
            return 17 if env else 0

        monkeypatch.setattr(ComposeIsolation, "require", lambda _self: None)
        monkeypatch.setattr(image_builds, "_base", lambda *_arguments: ("sha256:base", None))
        monkeypatch.setattr(image_builds, "run_lines", run_lines)
        with pytest.raises(ImageBuildError) as caught:
            ComposeIsolation().prepare(backend, lambda _line: None)
        return caught.value

    return build


@pytest.fixture
def stage_run(tmp_path):
    (tmp_path / "work" / "out").mkdir(parents=True)

    def make(**more):
        usual = {"backend": "neuron", "stage": "infer", "inputs": {}, "params": {}}
        return StageRun(work=tmp_path / "work", log=tmp_path / "log", **{**usual, **more})

    return make


@pytest.fixture
def docker(monkeypatch):
    """Stands in for docker: the command it was asked to run, and how that ends."""
    asked = {"end": docker_engine.ContainerEnd(exit_code=0, out_of_memory=False, memory_limit=0)}

    def run_logged(command, *, log, **_options):
        asked["command"] = command
        log.write_text(asked.get("said", ""))
        return asked["end"].exit_code

    monkeypatch.setattr(compose, "run_logged", run_logged)
    monkeypatch.setattr(docker_engine, "container_end", lambda _name: asked["end"])
    monkeypatch.setattr(docker_engine, "remove_container", lambda _name: None)
    monkeypatch.setattr(compose.os, "chown", lambda *_arguments, **_options: None)
    return asked


def test_an_image_is_another_when_its_packages_come_from_elsewhere(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    before = {backend: images.source_digest(backend) for backend in ("neuron", "tf1")}
    monkeypatch.setenv(VARIABLE, "http://mirror.example/simple")
    assert images.source_digest("neuron") != before["neuron"]
    assert images.source_digest("tf1") == before["tf1"]


def test_a_build_is_given_the_index_without_its_credentials_and_those_as_a_secret(monkeypatch):
    monkeypatch.setenv(VARIABLE, "https://me:secret@mirror.example/simple")
    env = image_builds._build_environment("neuron", "sha256:base")
    assert env["BERTBUILD_NEURON_INDEX"] == "https://mirror.example/simple"
    assert "BERTBUILD_NEURON_INDEX" not in image_builds._build_environment("tf1", "sha256:base")
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert f"  neuron_index_url: {{ environment: {VARIABLE} }}\n" in text
    assert f"  {VARIABLE}:" not in text
    assert VARIABLE not in (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")


def test_a_build_without_the_packages_says_where_they_come_from(built):
    error = built(
        "neuron",
        "#9 9.1 ERROR: No matching distribution found for tensorflow-neuron==1.15.5.2.8.9.0",
        "#9 9.2 tensorflow-neuron and neuron-cc could not be installed. They come from AWS's package index, which is",
    )
    assert "https://pip.repos.neuron.amazonaws.com" in error.next_step
    assert VARIABLE in error.next_step
    assert "docker/neuron/wheels" in error.next_step


def test_a_build_that_lacks_a_public_package_says_what_it_always_did(built):
    line = "#9 9.1 ERROR: No matching distribution found for tensorflow==1.15.5"
    assert "BERTBUILD_INDEX_URL" in built("neuron", line).next_step
    assert "BERTBUILD_INDEX_URL" in built("tf1", line).next_step


@pytest.mark.parametrize(("needs_device", "service"), [(True, "neuron-device"), (False, "neuron")])
def test_a_stage_that_needs_the_device_runs_in_the_service_that_has_it(docker, stage_run, needs_device, service):
    ComposeIsolation().run(stage_run(device=needs_device), lambda _event: None)
    assert docker["command"][docker["command"].index("infer") - 1] == service


BASES = {
    "by its digest": ("registry.example/python:3.7@sha256:" + "a" * 64, None, "sha256:" + "a" * 64),
    "pulled": (
        "registry.example/python:3.7",
        docker_engine.Image(id="sha256:1", labels={}, names_pulled=("registry.example/python@sha256:" + "b" * 64,)),
        "sha256:" + "b" * 64,
    ),
    "of no registry": ("mine/python:3.7", docker_engine.Image(id="sha256:2", labels={}), "sha256:2"),
}


@pytest.mark.parametrize("kind", BASES)
def test_a_base_counts_by_its_registrys_digest_else_by_its_id(monkeypatch, kind):
    name, image, expected = BASES[kind]
    monkeypatch.setenv("BERTBUILD_BASE_PYTHON37", name)
    monkeypatch.setattr(docker_engine, "image", lambda _name: image)
    assert image_builds._base("tf1", print, None) == (expected, image)


def test_a_base_that_the_engine_lacks_is_pulled_first_so_that_it_is_known(monkeypatch):
    asked, lines = [], []
    found = docker_engine.Image(id="sha256:3", labels={})
    monkeypatch.setenv("BERTBUILD_BASE_PYTHON37", "registry.example/python:3.7")
    monkeypatch.setattr(docker_engine, "image", lambda _name: found if asked else None)
    monkeypatch.setattr(image_builds, "run_lines", lambda command, **_more: asked.append(command) or 0)
    assert image_builds._base("tf1", lines.append, None) == ("sha256:3", found)
    assert asked == [["docker", "pull", "registry.example/python:3.7"]]


def test_an_image_that_was_built_on_another_base_than_the_engine_has_is_refused(monkeypatch):
    base = docker_engine.Image(id="sha256:4", labels={}, layers=("sha256:a", "sha256:b"))
    for layers in (("sha256:a", "sha256:b", "sha256:c"), ("sha256:a", "sha256:c")):
        built = docker_engine.Image(id="sha256:5", labels={}, layers=layers)
        monkeypatch.setattr(docker_engine, "image", lambda _name, built=built: built)
        if layers[:2] == base.layers:
            image_builds._require_built_on(base, "tf1")
        else:
            with pytest.raises(ImageBuildError, match="was built on another image than"):
                image_builds._require_built_on(base, "tf1")


@pytest.fixture
def images_of(monkeypatch):
    """An engine with one image for each backend, of an id and a base; gives the facts that keys hold of it."""

    def facts(backend, image_id, base="sha256:base", platform="linux/amd64"):
        labels = {images.BASE_LABEL: base}
        image = docker_engine.Image(id=image_id, labels=labels, platform=platform)
        monkeypatch.setattr(docker_engine, "image", lambda _name: image)
        return ComposeIsolation().environment(backend)

    return facts


def test_the_same_image_built_again_or_elsewhere_has_the_same_facts_whatever_its_id(images_of):
    before = images_of("tf1", "sha256:1")
    assert images_of("tf1", "sha256:2") == before
    assert set(before) == {"base", "lock", "platform", "recipe"}
    assert "sha256:1" not in before.values()
    assert images_of("tf1", "sha256:1", base="sha256:other") != before
    assert images_of("tf1", "sha256:1", platform="linux/arm64") != before
    assert images_of("neuron", "sha256:1").keys() == {*before, "unlocked"}


RECIPES = {
    "Dockerfile": {"tf1", "openvino", "onnx", "mo", "tf2", "data", "neuron"},
    "unused.txt": {"tf1", "openvino", "onnx", "mo", "tf2", "data", "neuron"},
    "neuron/install-neuron.sh": {"neuron"},
    "tf1/requirements.txt": {"tf1"},
    "tf1/requirements.in": set(),
    "tf1/stages/metagraph.py": set(),
    "tf2/carried.txt": set(),
}


@pytest.mark.parametrize("edited", RECIPES)
def test_an_edit_changes_the_facts_of_the_images_that_are_made_of_it(images_of, monkeypatch, tmp_path, edited):
    shutil.copytree(ROOT / "docker", tmp_path / "docker")
    for module in (images, backends):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    names = sorted(RECIPES["Dockerfile"])
    before = {name: images_of(name, "sha256:1") for name in names}
    with (tmp_path / "docker" / edited).open("a") as file:
        file.write("\n# a comment\n")
    assert {name for name in names if images_of(name, "sha256:1") != before[name]} == RECIPES[edited]


def test_provenance_has_the_images_id_its_names_in_a_registry_and_its_base(monkeypatch):
    pulled = "registry.example/bertbuild/tf1@sha256:" + "c" * 64
    image = docker_engine.Image(id="sha256:1234", labels={images.BASE_LABEL: "sha256:abcd"}, names_pulled=(pulled,))
    monkeypatch.setattr(docker_engine, "image", lambda _name: image)
    assert ComposeIsolation().dependencies("tf1") == [
        {"name": "image", "digest": {"sha256": "1234"}, "annotations": {"pulled": [pulled]}},
        {"name": "base image", "digest": {"sha256": "abcd"}},
    ]


def test_an_image_is_another_when_code_changes_that_it_carries_for_another_backend(monkeypatch):
    def digests():
        return {backend: images.source_digest(backend) for backend in ("tf1", "tf2", "data")}

    before, code_digest = digests(), images.keys.code_digest
    metagraph = backend_folder("tf1") / "stages" / "metagraph.py"
    changed = {"tf1": True, "tf2": True, "data": False}

    def with_another_metagraph(files):
        return code_digest({name: Path(__file__) if file == metagraph else file for name, file in files.items()})

    monkeypatch.setattr(images.keys, "code_digest", with_another_metagraph)
    assert {backend: digest != before[backend] for backend, digest in digests().items()} == changed


@pytest.mark.parametrize(("code", "stage"), [("", "infer"), ("tf2", "infer"), ("tf1", "tf1/infer")])
def test_a_stage_of_another_backend_is_named_with_the_folder_that_the_image_has_it_in(docker, stage_run, code, stage):
    ComposeIsolation().run(stage_run(backend="tf2", code=code), lambda _event: None)
    place = docker["command"].index("tf2")
    assert docker["command"][place + 1] == stage


def test_a_container_without_a_limit_was_killed_by_the_machines(docker, stage_run):
    docker["end"] = docker_engine.ContainerEnd(exit_code=137, out_of_memory=True, memory_limit=0)
    with pytest.raises(StageKilledForMemoryError, match=r"because the machine's memory ran out \(exit 137\)"):
        ComposeIsolation().run(stage_run(), lambda _event: None)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            134,
            "The TensorFlow library was compiled to use AVX instructions, but these aren't available on your machine.",
        ),
        (132, ""),
    ],
)
def test_a_container_whose_processor_lacks_instructions_says_so(docker, stage_run, code, said):
    docker["end"] = docker_engine.ContainerEnd(exit_code=code, out_of_memory=False, memory_limit=0)
    docker["said"] = said
    with pytest.raises(StageError) as caught:
        ComposeIsolation().run(stage_run(), lambda _event: None)
    assert "instructions that the engine's processor does not have (AVX" in str(caught.value)
    assert "DOCKER_HOST" in caught.value.next_step


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_container_that_was_told_to_end_is_no_failure_of_its_stage(docker, stage_run, is_gone, monkeypatch):
    docker["end"] = docker_engine.ContainerEnd(exit_code=143, out_of_memory=False, memory_limit=0)
    if is_gone:
        monkeypatch.setattr(docker_engine, "container_end", lambda _name: None)
    with pytest.raises(StageError, match=r"was ended from outside \(SIGTERM, exit 143\)") as caught:
        ComposeIsolation().run(stage_run(), lambda _event: None)
    assert "docker compose down" in caught.value.next_step


def test_stages_are_no_containers_of_the_checkouts_own_project(docker, stage_run):
    ComposeIsolation().run(stage_run(), lambda _event: None)
    (of_the_file,) = re.findall(r"^name: (\S+)$", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert docker["command"][docker["command"].index("--project-name") + 1] == "bertbuild-stages" != of_the_file


@pytest.fixture
def workers(monkeypatch, docker):  # noqa: ARG001 - no engine is asked
    """Stands in for several containers: the commands, what was removed, and which of them decides with what code."""
    asked = {"decided": (0, 0), "removed": [], "made": []}

    def run_together(workers, _on_event, _children):
        asked["workers"] = workers
        for worker in workers:
            worker.log.write_text(f"words of {worker.log.name}")
        return asked["decided"]

    def create(command, **_options):
        asked["made"].append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(compose, "run_together", run_together)
    monkeypatch.setattr(compose.subprocess, "run", create)
    monkeypatch.setattr(docker_engine, "remove_container", asked["removed"].append)
    monkeypatch.setattr(docker_engine, "remove_network", asked["removed"].append)
    return asked


def test_workers_are_containers_on_a_network_of_their_own(workers, stage_run, tmp_path):
    ComposeIsolation().run(stage_run(backend="tf2", stage="train", workers=2), lambda _event: None)
    commands = [worker.command for worker in workers["workers"]]
    names = [command[command.index("--name") + 1] for command in commands]
    (created,) = workers["made"]
    assert created[-2:] == ["create", "tf2-worker"]
    for index, command in enumerate(commands):
        assert command[command.index("--project-name") + 1] == names[0]
        assert command[command.index("train") - 1] == "tf2-worker"
        config = json.loads(command[command.index("--env") + 1].removeprefix("TF_CONFIG="))
        assert config["cluster"]["worker"] == [f"{name}:2222" for name in names]
        assert config["task"]["index"] == index
    folders = [worker.env["BERTBUILD_ARTIFACTS"] for worker in workers["workers"]]
    assert folders == [str(tmp_path / "work"), str(tmp_path / "work" / "workers" / "1")]
    assert {*names, f"{names[0]}-tf2-worker-1", f"{names[0]}_workers"} == set(workers["removed"])


def test_the_worker_that_failed_is_quoted(workers, stage_run, monkeypatch):
    workers["decided"] = (1, 1)
    ends = []

    def container_end(name):
        ends.append(name)
        return docker_engine.ContainerEnd(exit_code=1, out_of_memory=False, memory_limit=0)

    monkeypatch.setattr(docker_engine, "container_end", container_end)
    with pytest.raises(StageError, match="exit code 1") as caught:
        ComposeIsolation().run(stage_run(backend="tf2", stage="train", workers=2), lambda _event: None)
    assert caught.value.details == "words of log.worker-1"
    assert ends[0].endswith("-1")


def test_a_container_is_removed_whose_work_folder_no_process_holds(docker, stage_run, monkeypatch, tmp_path):
    """Known by its label, also where the folder is gone."""
    ComposeIsolation().run(stage_run(), lambda _event: None)
    label = docker["command"][docker["command"].index("--label") + 1]
    assert label == f"{compose.WORK_LABEL}={tmp_path / 'work'}"
    works, locks, removed = tmp_path / "store" / "work", tmp_path / "store" / "locks", []
    locks.mkdir(parents=True)
    there = [works / "ir-left", works / "ir-running", tmp_path / "another store" / "work" / "ir-left"]
    monkeypatch.setattr(docker_engine, "values_of", lambda label: {str(path) for path in there if label})
    monkeypatch.setattr(docker_engine, "remove_container", removed.append)
    with if_free(locks / "ir-running") as held:
        assert held
        ComposeIsolation().sweep(works, locks)
    assert removed == [f"{compose._container_name(works / 'ir-left')}(-.*)?"]
