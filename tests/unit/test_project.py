from __future__ import annotations

import pytest

from bertbuild import project
from bertbuild.cli import main
from bertbuild.project import PACKAGE_FOLDER, ROOT


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """As where a wheel is installed."""
    monkeypatch.setattr(project, "IS_INSTALLED", True)
    monkeypatch.setattr(project, "ROOT", tmp_path / "_project")
    return tmp_path / "_project"


def test_in_a_checkout_files_are_told_by_their_place_in_it():
    assert PACKAGE_FOLDER == ROOT / "bertbuild"
    assert project.whole()
    assert project.runs_from() == f"checkout at {ROOT}"
    assert project.own_file("docker", "neuron", "wheels") == "docker/neuron/wheels"
    assert project.compose() == "docker compose"


def test_where_it_is_installed_files_are_told_by_their_whole_path(installed):
    assert project.runs_from() == f"installed in {PACKAGE_FOLDER.parent}"
    assert project.own_file("docker", "neuron", "wheels") == f"{installed}/docker/neuron/wheels"
    assert project.compose() == f"docker compose --file {installed}/compose.yaml"


def test_without_its_files_the_program_ends_with_a_sentence(installed, capsys):
    assert not installed.exists()
    with pytest.raises(SystemExit) as ended:
        main._require_own_files()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[1].startswith("  → Install the wheel into a folder: pip install")
