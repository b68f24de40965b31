"""A real engine, real images, and a stage that tells what it finds around itself."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from bertbuild.isolation import docker_engine
from bertbuild.isolation.base import StageRun
from bertbuild.isolation.compose import ComposeIsolation, image_name
from bertbuild.project import ROOT

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before any fixture: what needs an engine is skipped without one, or fails where one is required."""
    if item.get_closest_marker("docker") is None or docker_engine.engine_answers():
        return
    if os.environ.get("BERTBUILD_REQUIRE_ENGINE") == "1":
        pytest.fail("BERTBUILD_REQUIRE_ENGINE=1, and no container engine answers; see .ci/engine.sh")
    pytest.skip("no container engine answers; .ci/engine.sh starts one")


@pytest.fixture(scope="session")
def bases():
    """The base images that can be had here: the public ones, or stand-ins."""
    script = subprocess.run([ROOT / ".ci" / "base-images.sh"], stdout=subprocess.PIPE, text=True, check=True)
    named = dict(re.findall(r"^export (\w+)=(\S+)$", script.stdout, re.MULTILINE))
    os.environ.update(named)
    return named


@pytest.fixture(scope="session")
def isolation(request):
    """Every backend's image, built of the sources as they are."""
    request.getfixturevalue("bases")
    isolation = ComposeIsolation()
    for backend in ("tf1", "openvino", "mo", "onnx", "tf2", "data"):
        if not isolation.is_ready(backend):
            isolation.prepare(backend, print)
    return isolation


@pytest.fixture(scope="session")
def derived(request, tmp_path_factory):
    """Makes an image of a backend's own and some Dockerfile lines more; returns its tag."""
    request.getfixturevalue("isolation")
    made = set()

    def make(backend, tag, lines):
        context = tmp_path_factory.mktemp("context")
        (context / "probe.py").write_bytes((HERE / "probe.py").read_bytes())
        text = "\n".join([f"FROM {image_name(backend)}", *lines])
        (context / "Dockerfile").write_text(text)
        command = ["docker", "build", "--quiet", "--tag", f"bertbuild/{backend}:{tag}", context]
        subprocess.run(command, check=True, env={**os.environ, "DOCKER_BUILDKIT": "1"}, stdout=subprocess.PIPE)
        made.add(f"bertbuild/{backend}:{tag}")
        return tag

    yield make
    if made:
        subprocess.run(["docker", "rmi", *made], check=True, stdout=subprocess.PIPE)


@pytest.fixture
def probe(derived, isolation, monkeypatch, tmp_path):
    """Runs the stage `probe` through the real isolation; returns the folder with what it wrote, and its events."""
    tag = derived("openvino", "probe", ["COPY --chown=0:0 probe.py /opt/bertbuild/stages/probe.py"])
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", tag)
    work = tmp_path / "work"
    (work / "out").mkdir(parents=True)
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("of the caller's")

    def run(act, on_event=None, inputs=None):
        events = []
        stage_run = StageRun(
            backend="openvino",
            stage="probe",
            inputs=inputs or {"data": data},
            params={"act": act},
            work=work,
            log=tmp_path / "log",
        )
        isolation.run(stage_run, on_event or events.append)
        return work / "out", events

    return run


def containers():
    """Names of the containers of stages, running or not."""
    command = ["docker", "ps", "--all", "--filter", "name=bertbuild-", "--format", "{{.Names}}"]
    names = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return {name for name in names if name.startswith("bertbuild-")}
