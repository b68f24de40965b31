"""Packages that no lock file holds: where they come from, and what is known of them."""

from __future__ import annotations

import pytest

from bertbuild.isolation import device, unlocked
from bertbuild.isolation.unlocked import installed_digest

DOCKERFILE = "FROM base\nARG BERTBUILD_TOY_INDEX=https://packages.example/simple\n"
WHEEL = "toy_package-1.0-py3-none-any.whl"


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder of a backend with such packages."""
    folder = tmp_path / "docker" / "toy"
    (folder / "wheels").mkdir(parents=True)
    (folder.parent / "Dockerfile").write_text(DOCKERFILE)
    (folder / "requirements-toy.in").write_text("# why\ntoy-package==1.0\nits-compiler==2.0\n")
    monkeypatch.setattr(unlocked, "backend_folder", lambda _backend: folder)
    monkeypatch.delenv("BERTBUILD_TOY_INDEX_URL", raising=False)
    return folder


@pytest.fixture
def digest(folder):
    def of():
        return unlocked.unlocked(folder.name).digest()

    return of


def test_a_backend_whose_lock_file_holds_all_has_none():
    assert unlocked.unlocked("tf1") is None


def test_neuron_has_those_of_aws(monkeypatch):
    monkeypatch.delenv("BERTBUILD_NEURON_INDEX_URL", raising=False)
    packages = unlocked.unlocked("neuron")
    assert packages.names == ("tensorflow-neuron", "neuron-cc")
    assert packages.index == "https://pip.repos.neuron.amazonaws.com"
    assert packages.sentence == (
        "tensorflow-neuron and neuron-cc come from https://pip.repos.neuron.amazonaws.com; name another index that has "
        "them in BERTBUILD_NEURON_INDEX_URL, or put their wheels into docker/neuron/wheels."
    )
    monkeypatch.setenv("BERTBUILD_NEURON_INDEX_URL", "http://mirror.example/simple")
    assert unlocked.unlocked("neuron").index == "http://mirror.example/simple"


@pytest.mark.usefixtures("folder")
def test_an_index_that_the_dockerfile_does_not_name_is_a_bug(folder):
    (folder.parent / "Dockerfile").write_text("FROM base\n")
    with pytest.raises(LookupError, match="names no index"):
        unlocked.unlocked("toy")


def test_the_digest_knows_versions_index_and_wheels(folder, digest, monkeypatch):
    digests = [digest()]
    monkeypatch.setenv("BERTBUILD_TOY_INDEX_URL", "http://mirror.example/simple")
    digests.append(digest())
    (folder / "wheels" / WHEEL).write_bytes(b"one")
    digests.append(digest())
    (folder / "wheels" / WHEEL).write_bytes(b"another")
    digests.append(digest())
    (folder / "wheels" / WHEEL).rename(folder / "wheels" / WHEEL.replace("py3", "cp37"))
    digests.append(digest())
    (folder / "requirements-toy.in").write_text("toy-package==1.1\n")
    digests.append(digest())
    assert len(set(digests)) == len(digests)


def test_wheels_take_the_place_of_the_index(folder, digest, monkeypatch):
    (folder / "wheels" / WHEEL).write_bytes(b"one")
    before = digest()
    monkeypatch.setenv("BERTBUILD_TOY_INDEX_URL", "http://mirror.example/simple")
    assert digest() == before


@pytest.fixture
def site_packages(tmp_path):
    """Writes the RECORD of a package."""
    folder = tmp_path / "site-packages"

    def record(name, *lines):
        (folder / f"{name}.dist-info").mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")
        return folder

    record("numpy-1.18.5", "numpy/__init__.py,sha256=aa,1")
    record("Toy_Package-1.0", "toy/__init__.py,sha256=bb,1")
    return record


def test_what_was_installed_is_known_by_its_bytes(site_packages):
    folder = site_packages("Toy_Package-1.0", "toy/__init__.py,sha256=bb,1")
    before = installed_digest(folder, ["numpy==1.18.5"])
    site_packages("Toy_Package-1.0", "toy/__init__.py,sha256=cc,1")
    assert installed_digest(folder, ["numpy==1.18.5"]) != before


@pytest.mark.parametrize(
    "line",
    ["../../../bin/toy,sha256=cc,1", "toy/__pycache__/a.cpython-37.pyc,,", "Toy_Package-1.0.dist-info/INSTALLER,s,1"],
)
def test_what_depends_on_the_place_or_the_installer_does_not_count(site_packages, line):
    folder = site_packages("Toy_Package-1.0", "toy/__init__.py,sha256=bb,1")
    before = installed_digest(folder, ["numpy==1.18.5"])
    site_packages("Toy_Package-1.0", "toy/__init__.py,sha256=bb,1", line)
    assert installed_digest(folder, ["numpy==1.18.5"]) == before


def test_locked_packages_do_not_count(site_packages):
    before = installed_digest(site_packages("numpy-1.18.5", "numpy/a.py,s,1"), ["numpy==1.18.5"])
    assert installed_digest(site_packages("numpy-1.18.5", "numpy/b.py,s,1"), ["numpy==1.18.5"]) == before


def test_the_neuron_device_is_the_one_named_or_the_first(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "USUAL", str(tmp_path / "neuron0"))
    monkeypatch.delenv("BERTBUILD_NEURON_DEVICE", raising=False)
    assert device.neuron_device() is None
    (tmp_path / "neuron0").touch()
    assert device.neuron_device() == tmp_path / "neuron0"
    monkeypatch.setenv("BERTBUILD_NEURON_DEVICE", str(tmp_path / "neuron7"))
    assert device.neuron_device() is None
    (tmp_path / "neuron7").touch()
    assert device.neuron_device() == tmp_path / "neuron7"
