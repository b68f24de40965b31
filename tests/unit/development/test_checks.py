from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from host_doubles import Events

from bertbuild.commands.session import Session
from bertbuild.config import Settings
from bertbuild.development import checks
from bertbuild.errors import CheckFailedError
from bertbuild.project import ROOT


@pytest.mark.parametrize("suite", checks.SUITES)
@pytest.mark.parametrize("whole", [False, True])
def test_a_suite_is_whole_by_the_flag_alone(monkeypatch, suite, whole):
    monkeypatch.delenv("BERTBUILD_TEST_WHOLE", raising=False)
    called, events = [], Events()
    monkeypatch.setattr(subprocess, "call", lambda words, **options: told(words, called.append((words, options))))
    checks.test(Session(settings=Settings(), report=events), suite, whole=whole)
    assert [words[3] for words, _ in called] == checks.SUITES[suite]
    assert all(("BERTBUILD_TEST_WHOLE" in options["env"]) == whole for _, options in called)
    assert (events[-1]["suite"], events[-1]["whole"]) == (suite, whole)
    assert [row["suite"] for row in events[-1]["suites"]] == [
        folder.removeprefix("tests/") for folder in checks.SUITES[suite]
    ]


def told(words, _called, outcome=""):
    """What pytest does: it writes of one test of the folder; 1 where it failed."""
    (path,) = (word.partition("=")[2] for word in words if word.startswith("--junit-xml="))
    module = words[3].replace("/", ".")
    Path(path).write_text(f'<testsuites><testcase classname="{module}" time="1">{outcome}</testcase></testsuites>')
    return int(bool(outcome))


def test_a_suite_that_fails_keeps_no_other_from_running_and_all_are_counted(monkeypatch):
    called = []

    def call(words, **_):
        return told(words, called.append(words[3]), "<failure/>" if words[3] == "tests/unit" else "")

    monkeypatch.setattr(subprocess, "call", call)
    with pytest.raises(CheckFailedError, match=r"^Tests failed: tests/unit\.$") as raised:
        checks.test(Session(settings=Settings(), report=Events()), "all", whole=True)
    assert called == checks.SUITES["all"]
    assert "| unit | 0 | 1 | 0 | 1 |" in raised.value.details
    assert raised.value.details.endswith("| all | 4 | 1 | 0 | 5 |")


def test_every_folder_of_tests_is_in_a_suite_of_all():
    kept = {"golden", "shared", "stand_in_neuron"}
    folders = {
        f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name[0] not in "._"
    }
    assert folders - {f"tests/{name}" for name in kept} == set(checks.SUITES["all"])


def test_ci_runs_every_suite_once():
    words = re.search(r"^readonly SUITES=\((.+)\)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)[1].split()
    assert sorted(words) == sorted({"unit", *checks.INTEGRATION, "docker", "faults", "browser"})


MARKED = """
import pytest

@pytest.mark.whole
def test_long(): pass

def test_short(): pass
"""


@pytest.mark.parametrize(
    ("variables", "ran"), [({}, "1 passed, 1 deselected"), ({"BERTBUILD_TEST_WHOLE": "1"}, "2 passed")]
)
def test_what_is_marked_whole_runs_when_all_is_wanted(tmp_path, variables, ran):
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    whole: long\n")
    (tmp_path / "test_marked.py").write_text(MARKED)
    kept = {name: value for name, value in os.environ.items() if name not in ("BERTBUILD_TEST_WHOLE", "PYTEST_ADDOPTS")}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(words, env=kept | variables, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("check", [lambda session: checks.test(session, "unit", whole=False), checks.lint])
def test_without_the_developers_packages_it_says_how_to_install_them(monkeypatch, check):
    version = importlib.metadata.version

    def without_pytest(name):
        if name in ("pytest", "ruff"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_pytest)
    with pytest.raises(CheckFailedError) as raised:
        check(Session(settings=Settings(), report=Events()))
    assert str(raised.value) == "Packages that tests and lint need are not installed: pytest, ruff."
    assert raised.value.next_step == "pip install -e '.[dev]'"


def test_lint_holds_rules_types_and_layers(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda words, **_: called.append(words) or "importlinter" in words[-1])
    with pytest.raises(CheckFailedError, match=r"^Not clean: import-linter\.$"):
        checks.lint(Session(settings=Settings(), report=Events()))
    assert [words[2] for words in called[:3]] == ["ruff", "ruff", "mypy"]
