"""What doctor says of images, their bases, and of addresses that nobody knows."""

import socket

import pytest

from bertbuild.commands import doctor as diagnosis
from bertbuild.config import Settings
from bertbuild.isolation import docker, docker_engine, package_index
from bertbuild.isolation.base import Finding
from bertbuild.isolation.docker_engine import Image
from bertbuild.isolation.images import BASE_LABEL, SOURCE_LABEL, base_name, image_name, source_digest


@pytest.fixture
def engine(monkeypatch):
    """Plays an engine that has some images, and can pull others or not; gives doctor's findings of it."""

    def look(images, *, why_not="", offline=False):
        monkeypatch.setattr(docker_engine, "on_the_network", lambda: False)
        monkeypatch.setattr(docker, "_engine", lambda: Finding(what="Docker", ok=True, text=""))
        monkeypatch.setattr(docker_engine, "image", images.get)
        monkeypatch.setattr(docker_engine, "why_not_pulled", lambda _name: why_not)
        return {finding.what: finding for finding in docker.findings(Settings(offline=offline))}

    return look


def labelled(source):
    return Image(id="sha256:1", labels={SOURCE_LABEL: source, BASE_LABEL: "sha256:2"} if source else {})


def test_images_are_built_stale_missing_or_made_by_hand(engine):
    found = engine(
        {
            image_name("data"): labelled(source_digest("data")),
            image_name("tf1"): labelled("older"),
            image_name("tf2"): labelled(""),
        }
    )
    assert found["image data"].text == "built"
    assert found["image tf1"].text.startswith("stale: ")
    assert found["image mo"].text.startswith("missing; ")
    assert found["image tf2"].text.startswith("built by hand, ")
    assert all(finding.ok for finding in found.values())


def test_a_base_that_cannot_be_had_keeps_docker_from_being_used_where_images_wait_for_it(engine):
    found = engine({image_name("data"): labelled(source_digest("data"))}, why_not="no such host")
    of_311 = found["base image of openvino, openvino@2024.6, mo, tf2, onnx, hf-tf, hf-torch"]
    assert (of_311.ok, of_311.needed_for) == (False, "docker")
    assert "cannot be pulled (no such host)" in of_311.text
    of_37 = found["base image of tf1, neuron"]
    assert (of_37.ok, of_37.needed_for) == (False, "")


@pytest.mark.parametrize("offline", [False, True])
def test_a_base_that_is_here_is_not_asked_for(engine, offline):
    bases = {base_name(backend): labelled("") for backend in ("tf1", "tf2")}
    found = engine(bases, why_not="no such host", offline=offline)
    assert all(finding.ok for finding in found.values())


def test_an_address_that_does_not_resolve_is_not_called_ok(monkeypatch):
    def getaddrinfo(*_arguments):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(package_index.urllib.request, "getproxies", dict)
    monkeypatch.setenv("BERTBUILD_NEURON_INDEX_URL", "https://me:secret@neuron.example/simple")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    found = [*diagnosis._unlocked(offline=False), *diagnosis._named(Settings(mirror="https://mirror.example"))]
    assert {finding.what: finding.ok for finding in found} == {
        "packages of neuron": False,
        "package index": False,
        "mirror of models": False,
    }
    assert all("has no address: Name or service not known" in finding.text for finding in found)
    assert not [finding for finding in found if "secret" in finding.text]
    assert all(finding.ok for finding in diagnosis._unlocked(offline=True))
