"""Bytecode of stages in virtual environments: kept in the environment, by the sha256 of the source."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys

import pytest

from bertbuild.isolation.venv import SITE

BEFORE, AFTER = "print('one')\n", "print('two')\n"


@pytest.fixture
def environment(tmp_path):
    """A virtual environment, and a folder with a module `said`; runs the module as stages are run."""
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    home = os.path.dirname(os.path.realpath(sys.executable))  # noqa: PTH120 - as Python looks for it
    (folder / "pyvenv.cfg").write_text(f"home = {home}\n")
    code = tmp_path / "code"
    code.mkdir()
    module = code / "said.py"
    module.write_text(BEFORE)

    def run():
        command = [str(folder / "bin" / "python"), "-c", "import said"]
        env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{code}:{SITE}"}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True, cwd=code).stdout.strip()

    return run, folder / "stage-bytecode", module


def test_it_is_read_again_and_lies_beside_no_source(environment):
    run, kept, module = environment
    assert run() == "one"
    assert list(module.parent.iterdir()) == [module]
    (file,) = kept.iterdir()
    file.write_bytes(marshal.dumps(compile("print('kept')", "said", "exec")))
    assert run() == "kept"


def test_it_is_never_that_of_another_source_of_the_same_size_and_time(environment):
    run, _, module = environment
    before = module.stat()
    assert run() == "one"
    module.write_text(AFTER)
    os.utime(module, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (module.stat().st_mtime_ns, module.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert run() == "two"
    module.write_text(BEFORE)
    assert run() == "one"


@pytest.mark.parametrize("content", [b"", b"spoilt", marshal.dumps("no code")])
def test_a_spoilt_file_is_not_read(environment, content):
    run, kept, _ = environment
    assert run() == "one"
    (file,) = kept.iterdir()
    file.write_bytes(content)
    assert run() == "one"


def test_where_it_cannot_be_kept_the_source_is_read(environment):
    run, kept, _ = environment
    kept.write_text("a file in the place of the folder")
    assert run() == "one"
