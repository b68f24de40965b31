from __future__ import annotations

from pathlib import Path

import pytest

from bertbuild.errors import InterpreterMissingError
from bertbuild.isolation import interpreters
from bertbuild.isolation.interpreters import find_interpreter, variable

VERSION = "3.97"  # of which no machine has one


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """A home, a PATH and a uv of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", variable(VERSION)):
        monkeypatch.delenv(name, raising=False)
    uv_that(monkeypatch, tmp_path, "echo 'error: no download of 3.97' >&2; exit 2")


def uv_that(monkeypatch, tmp_path, does):
    uv = script(tmp_path / "uv", does)
    monkeypatch.setattr(interpreters, "find_uv", lambda: str(uv))


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


def test_nothing_found_says_what_to_do_and_what_uv_said():
    with pytest.raises(InterpreterMissingError) as raised:
        find_interpreter(VERSION)
    error = raised.value
    assert str(error) == "Python 3.97 is not on this machine, and uv could not fetch it."
    assert error.next_step == (
        "Install Python 3.97 (pyenv install 3.97), name one in BERTBUILD_PYTHON397, or use --isolation docker."
    )
    assert error.details == "error: no download of 3.97"
    assert error.exit_code == 12


def test_a_machine_without_uv_is_told_so(monkeypatch):
    monkeypatch.setattr(interpreters, "find_uv", lambda: "/nowhere/uv")
    with pytest.raises(InterpreterMissingError) as raised:
        find_interpreter(VERSION)
    assert "uv cannot be started" in raised.value.details


def test_nothing_is_fetched_where_only_asked_what_is_there(monkeypatch, tmp_path):
    uv_that(monkeypatch, tmp_path, f"touch '{tmp_path}/fetched'")
    with pytest.raises(InterpreterMissingError):
        find_interpreter(VERSION, fetch=False)
    assert not (tmp_path / "fetched").exists()


def test_uv_fetches_what_is_missing(monkeypatch, tmp_path):
    fetched = tmp_path / "managed" / "python3.97"
    uv_that(
        monkeypatch,
        tmp_path,
        f"""case "$*" in
        "python install 3.97") mkdir -p '{fetched.parent}'
            printf '#!/bin/sh\\necho 3.97.9; echo {fetched}\\n' > '{fetched}'; chmod +x '{fetched}';;
        "python find --managed-python 3.97") echo '{fetched}';;
        *) exit 9;;
        esac""",
    )
    assert find_interpreter(VERSION) == (fetched, "3.97.9")


def test_uv_beside_this_python_comes_first(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setattr(interpreters.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert interpreters.find_uv() == "uv"
    on_path = script(tmp_path / "path" / "uv", "")
    assert Path(interpreters.find_uv()) == on_path
    beside = script(tmp_path / "bin" / "uv", "")
    assert Path(interpreters.find_uv()) == beside
