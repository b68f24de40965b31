from __future__ import annotations

import ast
import pathlib
import subprocess
import sys

import bertbuild.graph

FOLDER = pathlib.Path(bertbuild.graph.__file__).parent


def test_the_package_is_python_3_7():
    for path in FOLDER.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 7))


def test_the_package_needs_the_standard_library_only():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert all(alias.name in sys.stdlib_module_names for alias in node.names), path
            elif isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] in sys.stdlib_module_names or node.module.startswith(
                    "bertbuild.graph"
                ), path


def test_looking_for_a_checkpoint_does_not_import_numpy():
    program = "import bertbuild.checkpoint.folder, bertbuild.graph.roles, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
