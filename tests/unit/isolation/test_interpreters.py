from __future__ import annotations

import pytest

from bertbuild.errors import InterpreterMissingError
from bertbuild.isolation import python_places
from bertbuild.isolation.interpreters import find_interpreter
from bertbuild.isolation.python_places import variable

VERSION = "3.97"  # of which no machine has one


OF_TOOLS = (
    "PYENV_ROOT",
    "XDG_DATA_HOME",
    "UV_PYTHON_INSTALL_DIR",
    "ASDF_DATA_DIR",
    "MISE_DATA_DIR",
    "MAMBA_ROOT_PREFIX",
)
OF_CONDA = ("CONDA_PREFIX", "CONDA_EXE", "CONDA_ENVS_PATH", "CONDA_ENVS_DIRS", "CONDA_PKGS_DIRS")


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """A home and a PATH of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in (*OF_TOOLS, *OF_CONDA, variable(VERSION)):
        monkeypatch.delenv(name, raising=False)


def script(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def python(path, full="3.97.4"):
    """An interpreter that answers the one question it is asked, from wherever it is asked."""
    return script(path, f"echo {full}; echo '{path}'")


def test_the_interpreter_named_in_the_variable_comes_first(monkeypatch, tmp_path):
    named = python(tmp_path / "mine" / "python")
    python(tmp_path / "bin" / "python3.97")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("BERTBUILD_PYTHON397", str(named))
    assert find_interpreter(VERSION) == (named, "3.97.4")


@pytest.mark.parametrize("named", ["here/python", "~/python"])
def test_the_interpreter_may_be_named_from_here_or_from_home(monkeypatch, tmp_path, named):
    monkeypatch.chdir(tmp_path)
    path = python(tmp_path / named.replace("~", "home"))
    monkeypatch.setenv("BERTBUILD_PYTHON397", named)
    assert find_interpreter(VERSION)[0] == path


def test_one_on_path_is_found_even_where_path_is_odd(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    path = python(tmp_path / "bin" / "python3.97")
    monkeypatch.setenv("PATH", f"{tmp_path}/file::/nowhere:bin")
    assert find_interpreter(VERSION) == (path, "3.97.4")


def test_a_broken_shim_first_on_path_does_not_end_the_search(monkeypatch, tmp_path):
    """pyenv's shims exist for every version installed, and fail for those that are not chosen."""
    shims = tmp_path / "home" / ".pyenv" / "shims"
    script(shims / "python3.97", "echo 'pyenv: python3.97: command not found' >&2; exit 127")
    real = python(tmp_path / "home" / ".pyenv" / "versions" / "3.97.4" / "bin" / "python3.97")
    monkeypatch.setenv("PATH", f"{shims}:/usr/bin")
    assert find_interpreter(VERSION) == (real, "3.97.4")


def test_a_shim_that_works_gives_the_interpreter_behind_it(monkeypatch, tmp_path):
    real = python(tmp_path / "versions" / "bin" / "python3.97")
    script(tmp_path / "shims" / "python3.97", f'exec "{real}" "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:/usr/bin:/bin")
    assert find_interpreter(VERSION) == (real, "3.97.4")


def test_pyenv_may_be_elsewhere(monkeypatch, tmp_path):
    real = python(tmp_path / "pyenv" / "versions" / "3.97.1" / "bin" / "python3.97", "3.97.1")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert find_interpreter(VERSION) == (real, "3.97.1")


@pytest.mark.parametrize(
    ("place", "variables"),
    [
        ("home/.asdf/installs/python/3.97.4", {}),
        ("home/.local/share/mise/installs/python/3.97.4", {}),
        ("mise/installs/python/3.97.4", {"MISE_DATA_DIR": "mise"}),
        ("pythons/cpython-3.97.4-linux-x86_64-gnu", {"UV_PYTHON_INSTALL_DIR": "pythons"}),
        ("home/miniconda3/envs/tf1", {}),
        ("home/miniforge3", {}),
        ("home/micromamba/pkgs/python-3.97.4-h1_0_cpython", {}),
        ("mamba/envs/tf1", {"MAMBA_ROOT_PREFIX": "mamba"}),
        ("elsewhere/envs/old one", {"CONDA_EXE": "elsewhere/bin/conda"}),
        ("active", {"CONDA_PREFIX": "active"}),
        ("envs/tf1", {"CONDA_ENVS_DIRS": "nowhere:envs"}),
        ("pkgs/python-3.97.4-h1_0_cpython", {"CONDA_PKGS_DIRS": "pkgs"}),
    ],
)
def test_what_other_tools_installed_is_found(monkeypatch, tmp_path, place, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, ":".join(str(tmp_path / part) for part in value.split(":")))
    path = python(tmp_path / place / "bin" / "python3.97")
    assert find_interpreter(VERSION) == (path, "3.97.4")


def test_conda_lists_the_environments_that_it_made_anywhere(tmp_path):
    path = python(tmp_path / "project" / "env" / "bin" / "python3.97")
    listed = tmp_path / "home" / ".conda" / "environments.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text(f"relative\n\n{tmp_path}/gone\n{tmp_path}/project/env\n")
    assert find_interpreter(VERSION) == (path, "3.97.4")


@pytest.mark.parametrize("place", ["bin", "python3.97/bin"])
def test_the_system_s_folders_are_searched(monkeypatch, tmp_path, place):
    monkeypatch.setattr(python_places, "SYSTEM", ((tmp_path / "usr local", "bin"), (tmp_path / "usr local", "*/bin")))
    path = python(tmp_path / "usr local" / place / "python3.97")
    assert find_interpreter(VERSION) == (path, "3.97.4")


def test_a_home_with_signs_of_patterns_is_searched_as_it_is_spelled(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "[a]*"))
    path = python(tmp_path / "[a]*" / ".pyenv" / "versions" / "3.97.4" / "bin" / "python3.97")
    assert find_interpreter(VERSION) == (path, "3.97.4")


@pytest.mark.parametrize("data", ["", "data"])
def test_what_uv_fetched_earlier_is_found(monkeypatch, tmp_path, data):
    if data:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / data))
    folder = tmp_path / (data or "home/.local/share")
    path = python(folder / "uv" / "python" / "cpython-3.97.2-linux" / "bin" / "python3.97", "3.97.2")
    assert find_interpreter(VERSION) == (path, "3.97.2")


@pytest.mark.parametrize(
    "body",
    ["echo 3.9.7; echo /x", "echo 3.971.0; echo /x", "echo hello", "exit 1", "kill -9 $$"],
    ids=["another version", "a longer version", "no answer", "a failure", "a crash"],
)
def test_a_program_that_does_not_answer_as_a_python_of_that_version_is_passed_over(monkeypatch, tmp_path, body):
    script(tmp_path / "bin" / "python3.97", body)
    good = python(tmp_path / "home" / ".pyenv" / "versions" / "3.97.4" / "bin" / "python3.97")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    assert find_interpreter(VERSION)[0] == good


def test_nothing_found_says_what_to_do():
    with pytest.raises(InterpreterMissingError) as raised:
        find_interpreter(VERSION)
    error = raised.value
    assert str(error) == "Python 3.97 is not on this machine."
    assert error.next_step == (
        "Install Python 3.97 (pyenv install 3.97), name one in BERTBUILD_PYTHON397, or use --isolation docker."
    )
    assert error.exit_code == 12
