"""The wheel of this checkout, installed where nothing else is: the same program, the same keys, in any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest
from backends import SCRIPTS
from program import ROOT, Bertbuild, environment

from bertbuild.isolation.fetching import find_uv

KEY_PARTS = SCRIPTS / "key_parts.py"
LEFT_OUT = (".pyc", ".whl")


def run(*words, **variables):
    done = subprocess.run(
        list(map(str, words)), env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Made by way of the source distribution, as `uv build` does."""
    folder = tmp_path_factory.mktemp("dist")
    run(find_uv(), "build", "--out-dir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site_packages(wheel, tmp_path_factory):
    """A new virtual environment with the wheel and what it asks for."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    run(find_uv(), "venv", "--python", sys.executable, venv)
    run(find_uv(), "pip", "install", "--python", venv / "bin" / "python", wheel)
    (path,) = venv.glob("lib/python3*/site-packages")
    return path


@pytest.fixture(scope="module")
def python(site_packages):
    return site_packages.parents[2] / "bin" / "python"


class Installed(Bertbuild):
    """The program of the wheel; nothing on its search path leads to the checkout."""

    def __init__(self, artifacts, python):
        super().__init__(artifacts)
        self.program = python.parent / "bertbuild"

    def _command(self, words):
        return [str(self.program), *super()._command(words)[1:]]

    def _environment(self):
        return {name: value for name, value in environment(self.artifacts).items() if name != "PYTHONPATH"}


@pytest.fixture
def installed(python, tmp_path):
    """The program of the wheel over an empty store, in a folder of its own."""
    return Installed(tmp_path / "artifacts", python)


def below(folder):
    """All files of a folder of the checkout, but for what is made there."""
    found = (str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {name for name in found if not name.endswith(LEFT_OUT)}


def key_parts(python, folder, root=""):
    return json.loads(run(python, KEY_PARTS, folder, PYTHONPATH=str(root)))


def test_the_wheel_has_one_package_and_all_its_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (Parser().parsestr(archive.read(name).decode()) for name in names if name.endswith("/METADATA"))
    assert {name.partition("/")[0] for name in names} == {"bertbuild", f"bertbuild-{metadata['Version']}.dist-info"}
    assert names >= {f"bertbuild/_project/{name}" for name in (*below("docker"), "compose.yaml", ".dockerignore")}
    package = below("bertbuild")
    assert package - names == {name for name in package if name.startswith("bertbuild/development/")}
    assert "bertbuild/py.typed" in names
    assert not [name for name in names if name.endswith(LEFT_OUT)]


def test_wheel_and_checkout_have_equal_keys(python, site_packages, tmp_path):
    here = key_parts(sys.executable, tmp_path, ROOT)
    there = key_parts(python, tmp_path)
    assert (here["installed"], there["installed"]) == (False, True)
    assert there["own"] == here["own"]
    run(python, "-m", "compileall", "-q", site_packages / "bertbuild")
    assert list(site_packages.glob("bertbuild/_project/docker/tf1/stages/__pycache__/*.pyc"))
    assert key_parts(python, tmp_path)["own"] == here["own"]


def test_it_inspects_plans_and_tells_in_any_folder(installed, tiny):
    assert installed.ok("inspect", "--checkpoint", tiny).last["inspection"]["sound"]
    file = installed.artifacts.parent / "bertbuild.toml"
    file.write_text(f'[targets.ir]\nkind = "ir"\n\n[models.mine]\ncheckpoint = "{tiny}"\n')
    assert "mine/ir-fp32" in json.dumps(installed.ok("build", "--dry-run").last)
    installed.ok("status")


def test_what_the_checkout_built_is_up_to_date_for_the_wheel(bertbuild, tiny_built, tiny, python):
    assert tiny_built.code == 0
    again = Installed(bertbuild.artifacts, python).ok("build-ir", "--checkpoint", tiny)
    assert again.ids("started") == []
    assert "ir-fp32" in again.ids("cached")


@pytest.mark.whole
def test_it_builds_without_writing_beside_its_code(bertbuild, installed, tiny, site_packages):
    """Site-packages may be read-only; byte-code is left out where it cannot be written."""

    def files():
        return sorted(path for path in site_packages.rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__")

    assert bertbuild.artifacts.is_dir()  # environments are made
    before = files()
    built = installed.ok("build-ir", "--checkpoint", tiny)
    assert built.verdict("ir-fp32")["passed"]
    assert files() == before


def test_doctor_says_where_it_runs_from(installed, site_packages):
    found = {finding["what"]: finding["text"] for finding in installed.ok("doctor").last["findings"]}
    assert found["bertbuild"].endswith(f"installed in {site_packages}")


@pytest.mark.parametrize("command", ["test", "lint", "lock"])
def test_developers_commands_are_in_the_checkout_alone(installed, command):
    error = installed.refused(command, code=2)
    assert error["message"].startswith(f"There is no command '{command}'")


def test_inside_an_archive_it_is_one_sentence(python, wheel, tmp_path):
    variables = os.environ | {"PYTHONPATH": str(wheel)}
    words = [python, "-m", "bertbuild", "status"]
    done = subprocess.run(words, env=variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: bertbuild's own files cannot be read: {wheel}/bertbuild is inside an archive, or incomplete.",
        "  → Install the wheel into a folder: pip install WHEEL. Or start it from a checkout.",
    ]
