"""What docs/architecture.md says of the packages: arrows go down, and plans are pure."""

from __future__ import annotations

import ast
from collections import Counter

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from bertbuild.places import PLACES
from bertbuild.project import ROOT
from bertbuild.toml.document import read_document

HOUSE = ROOT / "bertbuild"
CONTRACTS = read_document(ROOT / "pyproject.toml").values["tool"]["importlinter"]
PURE = [path for room in ("kinds", "plans") for path in sorted((HOUSE / room).glob("*.py"))]
LOOKS = {"open", "stat", "exists", "is_file", "is_dir", "iterdir", "glob", "rglob", "resolve", "samefile", "run"}
"""Calls that ask a disk or another program; so do those that begin with `read_` or `write_`."""


def test_arrows_go_down():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_no_arrow_is_exempt():
    assert not CONTRACTS.get("exclude_type_checking_imports")
    assert not [key for contract in CONTRACTS["contracts"] for key in contract if key.startswith(("ignore_", "skip_"))]


def test_every_room_has_its_place_in_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    (layers,) = (contract["layers"] for contract in CONTRACTS["contracts"] if contract["type"] == "layers")
    drawn = text.partition("```layers\n")[2].partition("```")[0]
    assert [line.split("  ")[0].split(", ") for line in drawn.splitlines()] == [row.split(" | ") for row in layers]


def test_no_name_of_a_module_is_used_three_times():
    names = Counter(path.name for path in HOUSE.rglob("*.py") if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 2] == []


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_planning_reads_nothing(path):
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    names = {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls}
    assert not {name for name in names if name in LOOKS or name.startswith(("read_", "write_"))}


def test_only_places_to_run_and_what_tasks_py_adds_are_imported_by_a_name_that_is_no_literal():
    """Such an import is one that the linter does not see; it sees those of api/, which are there for types as well."""
    by_name = [
        path.relative_to(HOUSE).as_posix()
        for path in HOUSE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("import_module", "__import__"))
        and not isinstance(node.args[0], ast.Constant)
    ]
    outside = "isolation/fork_server.py"  # it runs in an environment's Python, which has none of our modules
    assert sorted(by_name) == ["api/__init__.py", "cli/main.py", "isolation/base.py", outside]
    assert all(row.module.startswith("bertbuild.isolation.") for row in PLACES.values())
