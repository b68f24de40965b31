"""test and lint: the project's own checks, the same by hand and in CI."""

from __future__ import annotations

import signal
import subprocess
import sys

from bertbuild.config import ROOT
from bertbuild.errors import CheckFailedError, UsageError
from bertbuild.session import Session

SUITES = {
    "unit": ["tests/unit"],
    "integration": ["tests/unit", "tests/integration"],
    "docker": ["tests/docker"],
    "browser": ["tests/browser"],
    "all": ["tests"],
}


def test(session: Session, suite: str) -> None:
    """Run a suite of tests.

    Raises:
        UsageError: there is no such suite.
        CheckFailedError: a test failed.
    """
    if suite not in SUITES:
        raise UsageError(f"There is no suite {suite}.", next_step=f"There are {', '.join(SUITES)}.")
    folders = [folder for folder in SUITES[suite] if (ROOT / folder).is_dir()]
    # A shell starts what runs in the background with SIGINT ignored, and so would be the Ctrl-C that tests press.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = subprocess.call([sys.executable, "-m", "pytest", *folders], cwd=ROOT)
    if code != 0:
        raise CheckFailedError("Tests failed.", next_step="See the first failure above.")
    session.result({"suite": suite}, f"tests passed: {suite}")


def lint(session: Session) -> None:
    """Run ruff (rules and format) and mypy.

    Raises:
        CheckFailedError: one of them found something.
    """
    checks = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy"],
    }
    failed = [name for name, words in checks.items() if subprocess.call([sys.executable, "-m", *words], cwd=ROOT) != 0]
    if failed:
        raise CheckFailedError(f"Not clean: {', '.join(failed)}.", next_step="Mend what is named above.")
    session.result({"checks": list(checks)}, "lint: clean")
