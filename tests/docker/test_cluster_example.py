"""examples/cluster as it is typed: the image, Compose's scheduler and workers, and a build that they run."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from bertbuild.cluster.certificates import make_certificates
from bertbuild.project import ROOT

pytest.importorskip("securesystemslib")

sys.path += [str(ROOT / "tests" / name) for name in ("shared", "integration")]
from registry_server import PROGRAM, registry
from remote_doubles import keys_in
from tiny_models import weights, write_google

pytestmark = [
    pytest.mark.docker,
    pytest.mark.whole,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed (apt-get install docker-registry)"),
]

EXAMPLE = ROOT / "examples" / "cluster"
IMAGE, BASE, STAND_IN = "bertbuild-worker:0.1", "python:3.11-slim-bookworm", "bertbuild-worker-base:stand-in"
GATEWAY = "172.17.0.1"
"""The engine's machine, as its containers see it."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
USER = 1000
"""Whom the image runs as."""


def docker(*words, **more):
    done = subprocess.run(["docker", *map(str, words)], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def image(bases, tmp_path_factory):
    """Built as the file says; where the public base cannot be had, on a stand-in that has Python 3.7 too."""
    folder = tmp_path_factory.mktemp("image")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT]
    subprocess.run(command, check=True)
    text = (EXAMPLE / "Dockerfile").read_text()
    assert f"FROM {BASE}\n" in text
    if bases:
        stand_in(bases, folder / "base")
        text = text.replace(f"FROM {BASE}\n", f"FROM {STAND_IN}\n")
    (folder / "Dockerfile").write_text(text)
    docker("build", "--tag", IMAGE, folder, env={**os.environ, "DOCKER_BUILDKIT": "1"})
    yield
    docker("rmi", IMAGE, *([STAND_IN] if bases else []))


def stand_in(bases, folder):
    folder.mkdir()
    shutil.copy(CERTIFICATES, folder / "certificates")
    python37 = "/opt/python3.7/bin/python3.7"
    (folder / "Dockerfile").write_text(
        f"FROM {bases['BERTBUILD_BASE_PYTHON311']}\n"
        f"COPY --from={bases['BERTBUILD_BASE_PYTHON37']} /usr/local /opt/python3.7\n"
        "RUN echo /opt/python3.7/lib >/etc/ld.so.conf.d/python3.7.conf && ldconfig\n"
        f"COPY certificates {CERTIFICATES}\n"
        f"ENV PIP_CERT={CERTIFICATES} SSL_CERT_FILE={CERTIFICATES} BERTBUILD_PYTHON37={python37}\n"
    )
    docker("build", "--tag", STAND_IN, folder, env={**os.environ, "DOCKER_BUILDKIT": "1"})


@pytest.fixture
def running(image, tmp_path):  # noqa: ARG001 - the image must be there
    """A scheduler and two workers; gives the variables of a build, and the folder that it sees as /mine."""
    shutil.copy(EXAMPLE / "compose.yaml", tmp_path)
    make_certificates(tmp_path / "certificates", 30)
    key, public = keys_in(tmp_path)
    key.rename(tmp_path / "remote.pem")
    (tmp_path / "config.json").write_text("{}")
    for path in (tmp_path, tmp_path / "certificates", *tmp_path.glob("certificates/*"), *tmp_path.glob("*.*")):
        os.chown(path, USER, USER)
    with registry(tmp_path / "registry", at=GATEWAY) as host:
        remote = {"BERTBUILD_REMOTE": f"oci+http://{host}/team/models", "BERTBUILD_REMOTE_TRUST": public}
        compose = ("compose", "--project-name", "bertbuild-example", "--file", tmp_path / "compose.yaml")
        environ = {**os.environ, **remote}
        try:
            docker(*compose, "up", "--detach", "--scale", "worker=2", env=environ)
            until = time.monotonic() + 120
            while docker(*compose, "logs", "worker", env=environ).count("scheduler: tls://scheduler:8786") < 2:
                assert time.monotonic() < until, docker(*compose, "logs", env=environ)
                time.sleep(1)
            yield remote, tmp_path
        finally:
            with contextlib.suppress(AssertionError):
                docker(*compose, "down", "--volumes", env=environ)


def test_compose_starts_a_cluster_that_runs_a_build(running):
    remote, folder = running
    write_google(folder / "model", weights(seed=71))
    (folder / "bertbuild.toml").write_text('[targets.ir]\nkind = "ir"\n[models.m]\ncheckpoint = "/mine/model"\n')
    variables = remote | {
        "BERTBUILD_REMOTE_WRITE": "true",
        "BERTBUILD_REMOTE_KEY": "/mine/remote.pem",
        "BERTBUILD_CERTIFICATES": "/mine/certificates",
        "BERTBUILD_SCHEDULER": "tls://scheduler:8786",
    }
    flags = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    flags += ["--volume", f"{folder}:/mine:ro", "--network", "bertbuild-example_default"]
    said = docker("run", "--rm", *flags, IMAGE, "build", "--file", "/mine/bertbuild.toml", "--json")
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["state"] for event in events if event["event"] == "target"] == ["built"]
    assert {event["stage"] for event in events if event.get("state") == "done" and "worker" in event} >= {
        "ir-direct",
        "tf1-infer",
        "openvino-infer",
    }
