"""The table of stages, and what lies beside their results."""

from __future__ import annotations

import ast

from bertbuild.project import ROOT
from bertbuild.stages import FACTS, MANIFEST, PROVENANCE


def test_what_lies_beside_a_result_is_spelt_in_one_module_alone():
    """But for `checkpoint/`, which stages load and which knows nothing of the table."""
    spelt = {
        str(path.relative_to(ROOT / "bertbuild"))
        for path in (ROOT / "bertbuild").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in (FACTS, MANIFEST, PROVENANCE)
    }
    assert spelt == {"stages.py", "checkpoint/imported.py"}
