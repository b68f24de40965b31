"""What stages import of ours is there: they run in environments that unit tests have not."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

DOCKER = Path(__file__).resolve().parents[3] / "docker"
MODULES = sorted(path for path in DOCKER.rglob("*.py") if path.parent.name in ("stages", "common"))


def imported(path):
    """(module, name) of each name that a module imports from another."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def defined(path):
    """The names that a module has: what it assigns, defines or imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
    return names


def has(module, name):
    """Whether a module of the host has a name, or a module of that name below it."""
    found = importlib.import_module(module)
    if hasattr(found, name):
        return True
    return hasattr(found, "__path__") and importlib.util.find_spec(f"{module}.{name}") is not None


def test_a_name_that_is_gone_is_told():
    assert has("bertbuild.families.bert", "ENCODER")
    assert has("bertbuild.heads", "rows")
    assert not has("bertbuild.families.bert", "GONE")
    assert not has("bertbuild.heads", "gone")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(DOCKER)))
def test_a_stage_imports_only_what_there_is(path):
    lacking = []
    for module, name in imported(path):
        top, _, below = module.partition(".")
        if top == "bertbuild":
            known = has(module, name)
        elif module == "stages":
            known = path.with_name(f"{name}.py").exists()
        elif top == "stages":
            known = path.with_name(f"{below}.py").exists() and name in defined(path.with_name(f"{below}.py"))
        else:
            common = DOCKER / "common" / f"{module}.py"
            known = not common.exists() or name in defined(common)
        if not known:
            lacking.append(f"{module}.{name}")
    assert lacking == []
