"""The README's first command on a fresh machine: no Docker, no Python 3.7, an empty home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from backends import SCRIPTS
from program import ROOT, Bertbuild, environment

from bertbuild.config import load_settings

PROGRAM = SCRIPTS / "without_python37.py"
PATH = ("/usr/bin", "/bin")
NOBODY = "http://127.0.0.1:9"
OF_TOOLS = ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "CONDA_EXE")
OF_CONDA = ("CONDA_PREFIX", "MAMBA_ROOT_PREFIX", "CONDA_ENVS_PATH", "CONDA_ENVS_DIRS", "CONDA_PKGS_DIRS")
JUDGE = "TensorFlow 2.20.0 in v1 mode"


def first_command():
    """The README's first command, split where a shell would."""
    block = re.search(r"```sh\n(.+?)\n```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    return [command.split() for command in block.split(" && ")]


class FreshMachine(Bertbuild):
    """The program there; its environments are those of this machine, but for TensorFlow 1's."""

    def __init__(self, folder, made, models):
        super().__init__(folder / "artifacts")
        (folder / "home").mkdir()
        environments = folder / "environments"
        environments.mkdir()
        for path in made.iterdir():
            if not path.name.startswith((".", "tf1-", "neuron-")):
                (environments / path.name).symlink_to(path)
        gone = (*OF_TOOLS, *OF_CONDA, "BERTBUILD_PYTHON37", "BERTBUILD_ISOLATION", "VIRTUAL_ENV")
        kept = {name: value for name, value in environment(self.artifacts).items() if name not in gone}
        self.surroundings = kept | {
            "HOME": str(folder / "home"),
            "PATH": os.pathsep.join(PATH),
            "DOCKER_HOST": f"unix://{folder}/no.sock",
            "BERTBUILD_ENVIRONMENTS": str(environments),
            "BERTBUILD_FROM": str(models),
            "UV_PYTHON_INSTALL_MIRROR": NOBODY,  # a Python 3.7 that can be fetched is another test's
        }

    def _command(self, words):
        return [sys.executable, str(PROGRAM), *map(str, words), "--json"]

    def _environment(self):
        return self.surroundings


@pytest.fixture(scope="module")
def machine(bertbuild, minilm, tmp_path_factory):
    if any((Path(folder) / "python3.7").exists() for folder in PATH):
        pytest.skip("the system's own folder has a Python 3.7")
    assert minilm.code == 0
    folder = tmp_path_factory.mktemp("fresh machine")
    return FreshMachine(folder, load_settings(folder=folder).environments, bertbuild.artifacts / "downloads")


def test_the_first_command_installs_what_a_user_needs_and_builds():
    make, enter, install, build = first_command()
    assert make == ["python3", "-m", "venv", ".venv"]
    assert enter == [".", ".venv/bin/activate"]
    assert install == ["pip", "install", "-e", "."]
    assert build == ["invoke", "build-ir", "--model", "minilm-l6"]


def test_it_works_without_docker_and_python_37(machine):
    built = machine.ok(*first_command()[-1][1:])
    assert built.verdict("ir-fp32")["passed"]
    assert built.verdict("ir-fp32")["references"] == ["TensorFlow 2.20.0"]  # a Hugging Face folder's own classes
    assert (machine.out("minilm-l6", "ir-fp32") / "model.xml").is_file()
    assert {event["backend"] for event in built.of("environment")} <= {"data", "hf-tf", "openvino"}
    again = machine.ok(*first_command()[-1][1:])
    assert again.ids("started") == []


def test_a_checkpoint_is_judged_by_the_newer_tensorflow_there(machine, tiny):
    built = machine.ok("build-ir", "--checkpoint", tiny)
    assert built.verdict("ir-fp32")["passed"]
    assert built.verdict("ir-fp32")["references"] == [JUDGE]
    assert any("TensorFlow 1.15 needs Python 3.7 or Docker, and has neither here" in note for note in built.notes)
    assert not list((machine.artifacts.parent / "environments").glob("tf1-*"))


def test_what_needs_tensorflow_1_says_so_with_the_way_out_and_doctor_what_holds_there(machine):
    error = machine.refused("neuron-ready", "--model", "minilm-l6", code=12)
    assert "needs Python 3.7 or Docker" in error["message"]
    assert "pyenv install 3.7" in error["next_step"]
    found = {finding["what"]: finding for finding in machine.ok("doctor").last["findings"]}
    assert not found["Python 3.7"]["ok"]
    assert "not here and not to be had: 127.0.0.1:9 cannot be reached" in found["Python 3.7"]["text"]
    assert "TensorFlow 2.20 in v1 mode" in found["without Python 3.7"]["text"]
    assert found["environment tf1"]["text"] == "cannot be made without Python 3.7"


def test_tests_without_the_developers_packages_are_one_sentence(tmp_path):
    """`invoke test` as typed after the first command; that packages are missing is played."""
    program = tmp_path / "without_pytest.py"
    program.write_text(
        "import importlib.metadata\n"
        "def missing(name, found=importlib.metadata.version):\n"
        "    if name == 'pytest':\n"
        "        raise importlib.metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "importlib.metadata.version = missing\n"
        "from bertbuild.cli.main import main\n"
        "main('bertbuild.development.tasks')\n"
    )
    run = [sys.executable, str(program), "test"]
    done = subprocess.run(run, env=environment(tmp_path), capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 17
    assert done.stderr.splitlines() == [
        "error: Packages that tests and lint need are not installed: pytest.",
        "  → pip install -e '.[dev]'",
    ]
