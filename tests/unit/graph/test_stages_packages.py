"""The packages of the host that every image has: Python 3.7 of the standard library, and of each other."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from bertbuild.project import ROOT

PACKAGES = ("families", "graph", "heads")
FILES = sorted(path for package in PACKAGES for path in (ROOT / "bertbuild" / package).glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_python_3_7_and_needs_the_standard_library_only(path):
    ours = tuple(f"bertbuild.{package}" for package in PACKAGES)
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 7))):
        if isinstance(node, ast.Import):
            assert all(alias.name in sys.stdlib_module_names for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module.split(".")[0] in sys.stdlib_module_names or node.module.startswith(ours)


def test_looking_for_a_checkpoint_does_not_import_numpy():
    program = "import bertbuild.checkpoint.folder, bertbuild.graph.roles, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
