"""The table of backends: each version is what its lock file holds, and an unknown one is refused with the nearest."""

from __future__ import annotations

import re

import pytest

from bertbuild.backends import BACKENDS, Backend, backend_folder, canonical, lock_file, locked, of_version, versions
from bertbuild.errors import UsageError
from bertbuild.isolation.unlocked import unlocked
from bertbuild.project import ROOT
from bertbuild.stages import STAGES, image_code


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_version_is_that_of_the_lock_file(backend):
    row, packages = BACKENDS[backend], unlocked(backend)
    text = packages.requirements.read_text() if packages else ""
    pinned = locked(backend) | dict(re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE))
    assert f"{pinned[row.package]}.".startswith(f"{row.version}.")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_with_tensorflow_needs_avx(backend):
    row = BACKENDS[backend]
    assert (
        row.avx == any(name in locked(backend) for name in ("tensorflow", "tensorflow-cpu")) or row.folder == "neuron"
    )


def test_every_stage_has_a_backend_and_every_folder_one_that_is_used_unasked():
    assert {spec.backend for spec in STAGES.values()} == {row.folder for row in BACKENDS.values()}
    for row in BACKENDS.values():
        assert BACKENDS[row.folder].folder == row.folder
        assert of_version(row.folder, versions(row.folder)[0]) == row.folder


def test_a_version_beside_another_has_its_stages_and_a_lock_file_of_its_own():
    beside = of_version("openvino", "2024.6")
    assert beside == "openvino@2024.6"
    assert BACKENDS[beside].image == "openvino-2024.6"
    assert backend_folder(beside) == backend_folder("openvino")
    assert image_code(beside) == image_code("openvino")
    assert lock_file(beside) == ROOT / "docker" / "openvino" / "2024.6" / "requirements.txt"
    assert locked(beside)["openvino"] != locked("openvino")["openvino"]


def test_the_version_that_is_used_unasked_has_two_names():
    assert canonical("openvino@2026.4") == canonical("openvino") == "openvino"
    assert canonical("openvino@2024.6") == "openvino@2024.6"
    assert canonical("openvino@1.0") == "openvino@1.0"
    assert canonical("mo@2024.6") == "mo"
    assert canonical("") == ""


def test_an_unknown_version_is_refused_with_the_nearest_and_all_there_are():
    with pytest.raises(UsageError, match=r'^There is no openvino 2026\.5 here; did you mean "2026\.4"\?$') as raised:
        of_version("openvino", "2026.5")
    assert raised.value.next_step.startswith("There are 2026.4, 2024.6;")


def test_a_new_version_is_a_row(monkeypatch):
    row = Backend(folder="openvino", package="openvino", version="2030.1", python="3.11", beside=True)
    monkeypatch.setitem(BACKENDS, row.name, row)
    assert versions("openvino")[-1] == "2030.1"
    assert of_version("openvino", "2030.1") == "openvino@2030.1"
    assert image_code("openvino@2030.1") == image_code("openvino")
