"""The developers' commands, beside those of the program where this is loaded, as a checkout's `tasks.py` does."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import JSON, OFFLINE, switch
from bertbuild.cli.tasks import TASKS
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter
from bertbuild.toml.values import Choice

CHECK = switch("check", "write nothing; fail where a lock file drifted")
UPGRADE = switch("upgrade", "take the newest versions allowed")
WHOLE = switch("whole", "also what CI has no time for, and the high counts of faults (hours)")


def _lock(session: Session, values: Values) -> None:
    from bertbuild.development import locks

    locks.lock(session, check=bool(values.get(CHECK.name)), upgrade=bool(values.get(UPGRADE.name)))


def _test_flags() -> list[Parameter]:
    from bertbuild.development.checks import INTEGRATION, SUITES

    about = (
        f"unit: no network, no engine; integration: real backends, by its folders {', '.join(INTEGRATION)}; "
        "docker; faults; browser; host: all but docker"
    )
    return [Parameter(name="suite", type=Choice(tuple(SUITES)), default="all", about=about), WHOLE]


def _test(session: Session, values: Values) -> None:
    from bertbuild.development import checks

    checks.test(session, values.get("suite", "all"), whole=bool(values.get(WHOLE.name)))


def _lint(session: Session, _values: Values) -> None:
    from bertbuild.development import checks

    checks.lint(session)


lock = declared(
    "lock",
    "Resolve each docker/*/requirements.in into its lock file, every package with its hashes.",
    lambda: (CHECK, UPGRADE),
    (OFFLINE, JSON),
    _lock,
    example="--check",
)
test = declared("test", "Run the tests.", _test_flags, (JSON,), _test, example="--suite unit")
lint = declared("lint", "Run ruff, mypy and import-linter.", tuple, (JSON,), _lint)

TASKS |= {command.name: command for command in (lock, test, lint)}
