"""Images through a registry: Debian's docker-registry on this machine, the real engine, and images of a few bytes."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from dataclasses import replace

import pytest
from host_doubles import Events
from registry_server import PROGRAM, registry

pytest.importorskip("securesystemslib")

from remote_doubles import keys_in

from bertbuild.commands.environments import images
from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.errors import RemoteError
from bertbuild.isolation import compose, docker_engine
from bertbuild.isolation.images import BASE_LABEL, SOURCE_LABEL, image_name, source_digest
from bertbuild.remote.manifest import LARGEST
from bertbuild.remote.opening import open_images

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed (apt-get install docker-registry)"),
]
BASE = f"sha256:{'5' * 64}"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    with registry(folder) as host:
        yield host, folder


@pytest.fixture
def made(monkeypatch):
    """Makes an image with a backend's name and labels, and a file; builds make such ones. All are gone in the end."""
    monkeypatch.setenv("BERTBUILD_IMAGE_TAG", "through-a-registry")
    built = []

    def make(backend, *_, content="made here"):
        labels = {SOURCE_LABEL: source_digest(backend), BASE_LABEL: BASE}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("file")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content.encode()))
        changes = [part for label in labels.items() for part in ("--change", "LABEL {}={}".format(*label))]
        command = ["docker", "import", "--platform", "linux/amd64", *changes, "-", image_name(backend)]
        subprocess.run(command, input=archive.getvalue(), check=True, stdout=subprocess.PIPE)
        built.append(backend)

    monkeypatch.setattr(compose, "build_image", make)
    make.built = built
    yield make
    for backend in ("data", "onnx"):
        forget(backend)


def forget(backend):
    """Be the engine of another machine, which has the image by no name."""
    if image := docker_engine.image(image_name(backend)):
        subprocess.run(["docker", "rmi", "--force", image.id], check=True, stdout=subprocess.PIPE)


@pytest.fixture
def session(served, tmp_path, request):
    key, public = keys_in(tmp_path / "keys")
    address = f"oci://{served[0]}/team/results:{re.sub('[^a-z]', '', request.node.name)[-30:]}"
    settings = Settings(
        artifacts=tmp_path / "store", isolation="docker", remote=address, remote_trust=public, remote_key=key
    )
    return Session(settings=settings, report=Events())


def other(session, **settings):
    return Session(settings=replace(session.settings, **settings), report=Events())


def test_an_image_is_pulled_by_the_digest_that_was_signed_and_none_is_built(session, made, served):
    made("data")
    first = images(session, ("data",), push=True, pull=True)
    assert (first.pulled, list(first.pushed)) == ({}, ["data"])
    assert docker_engine.image(image_name("data")).names_pulled == ()  # it was made here
    assert images(session, ("data",), push=True).pushed == {}  # it is there
    made.built.clear()
    forget("data")
    reader = other(session, remote_key=None)
    second = images(reader, ("data",), pull=True)
    assert (second.pulled, made.built) == (first.pushed, [])
    assert second.environments == first.environments
    (entry, _) = reader.isolation.dependencies("data")
    assert entry["annotations"] == {"pulled": [f"{served[0]}/team/results@{first.pushed['data']}"]}
    assert reader.report.of("progress")


def test_an_image_that_nobody_in_trust_signed_is_built_and_told(session, made, tmp_path):
    made("data")
    images(session, ("data",), push=True)
    forget("data")
    stranger = other(session, remote_trust=keys_in(tmp_path / "other")[1])
    done = images(stranger, ("data",), pull=True)
    assert (done.pulled, made.built) == ({}, ["data", "data"])
    (told,) = stranger.report.texts("warning")
    assert "not used: no key in trust signed it; it is built" in told


@pytest.mark.parametrize("changed", ["layer", "manifest"])
def test_bytes_that_were_changed_on_the_registrys_disk_do_not_come_in(session, made, served, changed):
    made("data", content=f"a {changed} of its own")
    pushed = images(session, ("data",), push=True).pushed["data"].partition(":")[2]
    forget("data")
    (manifest,) = served[1].glob(f"blobs/**/sha256/*/{pushed}/data")
    text = manifest.read_text()
    if changed == "manifest":
        manifest.write_text(text.replace("schemaVersion", "schemaversion"))
    else:
        (layer,) = served[1].glob(f"blobs/**/sha256/*/{re.findall('sha256:([0-9a-f]{64})', text)[-1]}/data")
        layer.write_bytes(bytes([*layer.read_bytes()[:-1], 7]))
    assert images(session, ("data",), pull=True).pulled == {}
    assert made.built == ["data", "data"]
    assert "docker pull ended with 1" in session.report.texts("warning")[0]


def test_a_trusted_statement_on_another_image_is_of_no_use(session, made):
    """On one of another backend, and of what was signed as something that it is not."""
    for backend in ("data", "onnx"):
        made(backend)
    images(session, ("data", "onnx"), push=True)
    there = open_images(session.settings)
    names = {backend: f"signed-image-{backend}-{source_digest(backend)}" for backend in ("data", "onnx")}
    there._registry.put_manifest(names["data"], there._registry.manifest(names["onnx"], LARGEST), replace=True)
    forget("data")
    assert images(session, ("data",), pull=True).pulled == {}
    assert "what is signed is about another image, of 'onnx'" in session.report.texts("warning")[0]
    forget("data")
    there.sign("data", there.look("onnx").digest, session.isolation.environment("onnx"))
    assert images(session, ("data",), pull=True).pulled == {}
    assert "not built of what its statement says" in session.report.texts("warning")[1]
    assert made.built == ["data", "onnx", "data", "data"]


def test_a_registry_that_is_gone_is_told_and_the_image_built(session, made):
    gone = other(session, remote="oci://127.0.0.1:1/r")
    assert images(gone, ("data",), pull=True).pulled == {}
    assert made.built == ["data"]
    assert "does not answer" in gone.report.texts("warning")[0]
    with pytest.raises(RemoteError, match="does not answer"):
        images(gone, ("data",), push=True)
