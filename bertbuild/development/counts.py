"""How many tests of each suite passed: read from the file that pytest writes, told as one table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

COLUMNS = ("suite", "passed", "failed", "skipped", "seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The tests of one folder.

    Attributes:
        suite: the folder below tests/.
        passed: tests that passed.
        failed: tests that failed, and errors before or after a test.
        skipped: tests that were skipped, with those that are expected to fail.
        seconds: that all of them took, with their fixtures.
    """

    suite: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row in the table."""
        return (self.suite, str(self.passed), str(self.failed), str(self.skipped), f"{self.seconds:.0f}")


def counts_of(path: Path, folder: str) -> list[Counted]:
    """What became of the tests of a folder; of tests/integration by its own folders.

    Args:
        path: a file that `pytest --junit-xml` wrote. Where there is none, pytest ended before it could: one failure.
        folder: that pytest was given, below the project's.
    """
    name = folder.removeprefix("tests/")
    if not path.is_file():
        return [Counted(suite=name, failed=1)]
    found: dict[str, Counted] = {}
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        suite = _suite(case.get("classname", ""), name)
        found[suite] = _with(found.get(suite, Counted(suite=suite)), case)
    return [found[suite] for suite in sorted(found)] or [Counted(suite=name)]


def _suite(module: str, name: str) -> str:
    """Of tests.integration.training.test_train integration/training; other suites have one row each."""
    parts = module.split(".")
    return "/".join(parts[1:3]) if name == "integration" and len(parts) > 3 else name


def _with(so_far: Counted, case: ET.Element) -> Counted:
    ends = {child.tag for child in case}
    failed = bool(ends & {"failure", "error"})
    skipped = not failed and "skipped" in ends
    return Counted(
        suite=so_far.suite,
        passed=so_far.passed + (not failed and not skipped),
        failed=so_far.failed + failed,
        skipped=so_far.skipped + skipped,
        seconds=so_far.seconds + float(case.get("time", "0")),
    )


def summary(counted: Iterable[Counted], *, whole: bool) -> list[str]:
    """The date and a table in Markdown, as docs/results.md has it."""
    rows = list(counted)
    total = Counted(
        suite="all",
        passed=sum(row.passed for row in rows),
        failed=sum(row.failed for row in rows),
        skipped=sum(row.skipped for row in rows),
        seconds=sum(row.seconds for row in rows),
    )
    told = [row.cells for row in ([*rows, total] if len(rows) > 1 else rows)]
    today = dt.datetime.now(dt.timezone.utc).date().isoformat()
    table = [COLUMNS, ("---",) * len(COLUMNS), *told]
    return [f"{today}, {'the whole run' if whole else 'what CI runs'}", *(f"| {' | '.join(row)} |" for row in table)]
