from __future__ import annotations

from collections import Counter

from bertbuild.project import ROOT


def test_no_two_test_files_have_one_name():
    """pytest imports each by its name alone: two of one name end a run before its first test."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
