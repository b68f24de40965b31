"""test and lint: the project's own checks, the same by hand and in CI."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.development.counts import Counted, counts_of, summary
from bertbuild.errors import CheckFailedError, UsageError
from bertbuild.names import did_you_mean
from bertbuild.project import ROOT

INTEGRATION = ("sources", "targets", "tensorflow2", "training", "builds", "neuron")
"""Folders of tests/integration, by what their tests exercise: CI shares them out among what runs side by side."""

SUITES = {
    "unit": ["tests/unit"],
    "integration": ["tests/integration"],
    **{name: [f"tests/integration/{name}"] for name in INTEGRATION},
    "docker": ["tests/docker"],
    "faults": ["tests/faults"],
    "browser": ["tests/browser"],
    "host": ["tests/unit", "tests/integration", "tests/faults", "tests/browser"],
    "all": ["tests/unit", "tests/integration", "tests/docker", "tests/faults", "tests/browser"],
}


WHOLE = "BERTBUILD_TEST_WHOLE"
"""The variable by which tests know that all of them are wanted, and not what CI has time for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested(Result):
    """Suites that passed, each with its counts."""

    suite: str
    whole: bool
    suites: tuple[Counted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted(Result):
    """Checks that found nothing."""

    checks: tuple[str, ...]


def test(session: Session, suite: str, *, whole: bool) -> None:
    """Run a suite of tests; `whole`: with those that CI has no time for, and the high counts of faults.

    Raises:
        UsageError: there is no such suite.
        CheckFailedError: a test failed, or the packages that tests need are not installed.
    """
    _require_developers_packages()
    if suite not in SUITES:
        near = did_you_mean(suite, SUITES)
        raise UsageError(f"There is no suite {suite}{near}", next_step=f"There are {', '.join(SUITES)}.")
    # A shell starts what runs in the background with SIGINT ignored, and so would be the Ctrl-C that tests press.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = os.environ | ({WHOLE: "1"} if whole else {})
    failed, counted = [], []
    for folder in SUITES[suite]:
        if (ROOT / folder).is_dir():
            code, counts = _run(folder, environment)
            failed += [folder] if code != 0 else []
            counted += counts
    lines = summary(counted, whole=whole)
    if failed:
        raise CheckFailedError(
            f"Tests failed: {', '.join(failed)}.",
            next_step="See the first failure above.",
            details="\n".join(lines),
        )
    words = f"tests passed: {suite}{', whole' if whole else ''}"
    session.result(Tested(suite=suite, whole=whole, suites=tuple(counted)), *lines, words)


def _run(folder: str, environment: Mapping[str, str]) -> tuple[int, list[Counted]]:
    """Run the tests of a folder in one process, and so with one session's fixtures: its code, and the counts."""
    with tempfile.TemporaryDirectory() as room:
        told = Path(room) / "tests.xml"
        words = [sys.executable, "-m", "pytest", folder, f"--junit-xml={told}"]
        code = subprocess.call(words, cwd=ROOT, env=environment)
        return code, counts_of(told, folder)


def lint(session: Session) -> None:
    """Run ruff (rules and format), mypy and import-linter.

    Raises:
        CheckFailedError: one of them found something, or is not installed.
    """
    _require_developers_packages()
    checks = {
        "ruff check": [sys.executable, "-m", "ruff", "check", "."],
        "ruff format": [sys.executable, "-m", "ruff", "format", "--check", "."],
        "mypy": [sys.executable, "-m", "mypy"],
        "import-linter": [sys.executable, "-c", _IMPORT_LINTER],
    }
    failed = [name for name, words in checks.items() if subprocess.call(words, cwd=ROOT) != 0]
    if failed:
        raise CheckFailedError(f"Not clean: {', '.join(failed)}.", next_step="Fix what is named above.")
    session.result(Linted(checks=tuple(checks)), "lint: clean")


_IMPORT_LINTER = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
)
"""It cannot be started by `python -m`."""


def _require_developers_packages() -> None:
    """Users install bertbuild without them.

    Raises:
        CheckFailedError: one of the extra `dev` is missing.
    """
    declared = importlib.metadata.requires("bertbuild") or []
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in declared if "extra ==" in line]
    missing = [name for name in names if not _is_installed(name)]
    if missing:
        raise CheckFailedError(
            f"Packages that tests and lint need are not installed: {', '.join(missing)}.",
            next_step="pip install -e '.[dev]'",
        )


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
