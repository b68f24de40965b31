"""The lock files hold to their requirements.in, and to what the images promise."""

import re

import pytest

from bertbuild.backends import BACKENDS, backend_folder, lock_file, require_locked, requirements_file
from bertbuild.errors import LockFileError


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_lock_file_holds_every_version_its_requirements_ask_for(backend):
    require_locked(backend)


def test_a_drifted_requirement_is_named(tmp_path, monkeypatch):
    locked = "one==1.0 \\\n    --hash=sha256:00\ntwo-words==2.0 \\\n    --hash=sha256:00\n"
    folder = tmp_path / "docker" / "tf1"
    folder.mkdir(parents=True)
    (folder / "requirements.in").write_text("one==1.0\nTwo_Words==2.1  # a reason\nthree==3.0\n")
    (folder / "requirements.txt").write_text(locked)
    monkeypatch.setattr("bertbuild.backends.ROOT", tmp_path)
    with pytest.raises(LockFileError, match=r"asks for Two_Words==2\.1, three==3\.0, which"):
        require_locked("tf1")


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_locked_package_has_hashes_and_no_index_is_named(backend):
    text = lock_file(backend).read_text()
    packages = re.split(r"\n(?=\S)", text.strip())
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", package) for package in packages)
    assert "://" not in text


def test_openvino_is_without_tensorflow_and_one_version_is_the_last_release_with_mo():
    for backend in ("openvino", "openvino@2024.6"):
        assert not re.search(r"^tensorflow", lock_file(backend).read_text(), re.MULTILINE)
    for backend in ("openvino@2024.6", "mo"):
        assert "openvino-dev==2024.6.0" in requirements_file(backend).read_text()


def test_neuron_stands_on_the_tensorflow_of_tf1():
    ours, theirs = (
        set(re.findall(r"^\S+==\S+", lock_file(name).read_text(), re.MULTILINE)) for name in ("neuron", "tf1")
    )
    assert ours < theirs


@pytest.mark.parametrize("backend", ["tf1", "neuron"])
def test_what_builds_gast_is_pinned_as_in_the_lock(backend):
    constraints = (backend_folder(backend) / "build-constraints.txt").read_text().splitlines()
    locked = lock_file(backend).read_text()
    assert all(line + " " in locked for line in constraints if not line.startswith("#"))
