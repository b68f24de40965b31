from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

from bertbuild.development.counts import Counted, counts_of, summary

TESTS = """
import pytest

@pytest.fixture
def falls():
    yield
    raise RuntimeError

@pytest.fixture
def never():
    raise RuntimeError

def test_passes(): pass

def test_fails(): assert not "true"

@pytest.mark.skip(reason="not here")
def test_skipped(): pass

@pytest.mark.xfail(strict=True)
def test_is_expected_to_fail(): assert not "true"

def test_begins_never(never): pass

class TestOfAClass:
    def test_passes(self): pass
"""


def counted(tmp_path, folder):
    """What is counted of a run of pytest over files of a folder."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder, "--junit-xml=told.xml"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(words, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False)
    return done.stdout, counts_of(tmp_path / "told.xml", folder)


def test_integration_tests_are_counted_by_folder_as_pytest_counts_them(tmp_path):
    for name, text in {"training/test_a.py": TESTS, "sources/test_b.py": "def test_passes(): pass"}.items():
        path = tmp_path / "tests" / "integration" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    said, (sources, training) = counted(tmp_path, "tests/integration")
    assert "1 failed, 3 passed, 1 skipped, 1 xfailed, 1 error" in said
    assert (sources.suite, sources.passed, sources.failed, sources.skipped) == ("integration/sources", 1, 0, 0)
    assert (training.suite, training.passed, training.failed, training.skipped) == ("integration/training", 2, 2, 2)


def test_other_suites_have_one_row_and_a_folder_of_integration_too(tmp_path):
    for name in ("unit/checkpoint", "integration/builds"):
        path = tmp_path / "tests" / name / "test_a.py"
        path.parent.mkdir(parents=True)
        path.write_text("def test_passes(): pass")
    assert [row.suite for row in counted(tmp_path, "tests/unit")[1]] == ["unit"]
    assert [row.suite for row in counted(tmp_path, "tests/integration/builds")[1]] == ["integration/builds"]


def test_a_run_that_ended_before_it_could_tell_is_a_failure(tmp_path):
    assert counts_of(tmp_path / "none.xml", "tests/docker") == [Counted(suite="docker", failed=1)]


def test_the_summary_is_a_dated_table_with_a_sum():
    rows = [Counted(suite="unit", passed=10, seconds=1.6), Counted(suite="docker", passed=3, failed=1, skipped=2)]
    date, *table = summary(rows, whole=True)
    assert date == f"{dt.datetime.now(dt.timezone.utc).date().isoformat()}, the whole run"
    assert table == [
        "| suite | passed | failed | skipped | seconds |",
        "| --- | --- | --- | --- | --- |",
        "| unit | 10 | 0 | 0 | 2 |",
        "| docker | 3 | 1 | 2 | 0 |",
        "| all | 13 | 1 | 2 | 2 |",
    ]


def test_one_suite_has_no_sum():
    assert summary([Counted(suite="unit", passed=1)], whole=False)[3:] == ["| unit | 1 | 0 | 0 | 0 |"]
