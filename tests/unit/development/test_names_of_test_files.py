from __future__ import annotations

from collections import Counter

from bertbuild.development.checks import INTEGRATION
from bertbuild.project import ROOT


def test_no_two_test_files_have_one_name():
    """pytest imports each by its name alone: two of one name end a run before its first test."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_each_integration_test_is_in_a_suite_that_ci_runs():
    folder = ROOT / "tests" / "integration"
    assert {path.parent.relative_to(folder).as_posix() for path in folder.rglob("test_*.py")} == set(INTEGRATION)
