"""lock: every backend's packages, resolved and pinned with their hashes."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bertbuild.backends import BACKENDS, excluded_file, lock_file, requirements_file, requirements_name
from bertbuild.commands.result import Result
from bertbuild.commands.session import Session
from bertbuild.errors import Lacking, LockFileError, OfflineError
from bertbuild.isolation.fetching import find_uv


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked(Result):
    """The backends whose lock file changed."""

    changed: tuple[str, ...]


def lock(session: Session, *, check: bool, upgrade: bool) -> None:
    """Resolve every requirements.in into its requirements.txt, each package with its version and hashes.

    Args:
        session: for reporting.
        check: write nothing; fail where a lock file does not satisfy its requirements.in.
        upgrade: take the newest versions allowed instead of keeping the locked ones.

    Raises:
        LockFileError: a lock file drifted, or cannot be resolved.
        OfflineError: the network must not be used.
    """
    if session.settings.offline:
        raise OfflineError([Lacking(what="the package index, which lock asks", get="invoke lock")])
    drifted = []
    for backend in BACKENDS:
        before = lock_file(backend).read_text(encoding="utf-8") if lock_file(backend).exists() else ""
        after = _resolve(backend, "" if upgrade else before)
        if after == before:
            continue
        drifted.append(backend)
        if not check:
            lock_file(backend).write_text(after, encoding="utf-8")
    if check and drifted:
        raise LockFileError(
            f"The lock file of {', '.join(drifted)} is not what its requirements.in resolves to.",
            next_step="Run: invoke lock",
        )
    line = f"changed: {', '.join(drifted)}" if drifted else "all lock files are up to date"
    session.result(Locked(changed=tuple(drifted)), line)


def _resolve(backend: str, preferences: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "requirements.txt"
        output.write_text(preferences, encoding="utf-8")  # uv keeps the versions it finds there
        options = ["--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--quiet"]
        options += ["--python-version", BACKENDS[backend].python, "--output-file", str(output)]
        excluded = excluded_file(backend)
        options += ["--excludes", str(excluded)] if excluded else []
        result = subprocess.run(
            [find_uv(), "pip", "compile", *options, str(requirements_file(backend))],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "UV_SYSTEM_CERTS": "1"},
        )
        if result.returncode != 0:
            raise LockFileError(
                f"{requirements_name(backend)} cannot be resolved.",
                next_step="Fix what uv names, or check the network.",
                details=result.stderr.strip(),
            )
        return output.read_text(encoding="utf-8")
