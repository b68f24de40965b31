"""Having uv fetch a Python: the uv at hand first, then one so old that it still offers Python 3.7.

No uv since 0.7.0 offers CPython 3.7, though its archive is where it was. uv 0.6.17 does; the uv at hand installs it, by
hash, into a folder of ours. Its own list has no hash of that archive, so it is given a list that has
(python-downloads.json), unless the user names a list or a mirror of their own: those are taken as uv takes them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from bertbuild import keys as key
from bertbuild.addresses import bare
from bertbuild.files.disk import write_atomically
from bertbuild.files.locking import exclusive
from bertbuild.isolation.base import OnLine
from bertbuild.isolation.process import Children, end_groups
from bertbuild.json_text import parse_json

OLDER = "uv 0.6.17"
OLDER_OFFERS = ("3.7",)
"""The versions for which the older uv is asked; the installed uv offers all others."""
OLDER_LOCK = Path(__file__).with_name("uv-older.txt")
OLDER_LIST = Path(__file__).with_name("python-downloads.json")

SOURCE = "https://github.com"
"""Where python-build-standalone's archives are, unless UV_PYTHON_INSTALL_MIRROR says otherwise."""

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS")
PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")

CONNECT_SECONDS = 5.0
LIMIT_SECONDS = 300.0
REMEMBERED_SECONDS = 600.0
"""How long a failure counts: not every command of a machine without network waits for it again."""


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """What has uv fetch Pythons.

    Attributes:
        folder: where the older uv and what failed lately are kept.
        offline: whether the network must not be used.
        children: what ends uv when the command is ended.
        on_line: told what happens, line by line.
    """

    folder: Path
    offline: bool = False
    children: Children = field(default_factory=Children)
    on_line: OnLine = lambda _line: None

    def fetch(self, version: str) -> str:
        """Have uv install a Python where it keeps them; returns why it could not, or ""."""
        words = self.barred(version)
        if words:
            return words
        if self.offered_by(version) == OLDER:
            self.on_line(f"the installed uv offers no Python {version}; {OLDER} fetches it")
            words = self._by_older(version)
        else:
            words = self._install(find_uv(), version)
        if words:
            self._remember(version, words)
        return words

    def barred(self, version: str) -> str:
        """Why there is no use in trying to fetch this version now, or "": settings, and what failed lately."""
        if self.offline or os.environ.get("UV_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
            return "the network must not be used (offline)"
        if os.environ.get("UV_PYTHON_DOWNLOADS") == "never":
            return "uv must not fetch Pythons (UV_PYTHON_DOWNLOADS=never)"
        try:
            failed = parse_json(self._memory(version).read_text(encoding="utf-8"))
            age, words, same = time.time() - failed["at"], str(failed["words"]), failed["settings"] == _settings()
        except (OSError, ValueError, TypeError, LookupError):
            return ""
        if not same or not 0 <= age < REMEMBERED_SECONDS:
            return ""
        return (
            f"{words}\n(tried {age / 60:.0f} minutes ago; tried again {REMEMBERED_SECONDS / 60:.0f} minutes after that)"
        )

    def offered_by(self, version: str) -> str:
        """The uv that has this version in its list, or ""; the network is not asked."""
        if "://" in os.environ.get("UV_PYTHON_DOWNLOADS_JSON_URL", ""):
            return "uv"  # the list itself is on the network
        command = [find_uv(), "python", "list", "--only-downloads", version]
        try:
            listed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.SubprocessError):
            return ""
        if f"cpython-{version}." in listed.stdout:
            return "uv"
        return OLDER if version in OLDER_OFFERS and os.uname().machine == "x86_64" else ""

    def _by_older(self, version: str) -> str:
        mirror = os.environ.get("UV_PYTHON_INSTALL_MIRROR")
        listed = os.environ.get("UV_PYTHON_DOWNLOADS_JSON_URL")
        words = "" if listed else _unreachable(mirror or SOURCE)
        if words:
            return words
        older = self.folder / ".uv" / OLDER.replace(" ", "-") / "bin" / "uv"
        words = self._install_older(older)
        if words:
            return words
        variables = {} if mirror or listed else {"UV_PYTHON_DOWNLOADS_JSON_URL": str(OLDER_LIST)}
        if _certificates():
            variables["UV_NATIVE_TLS"] = "1"  # what it calls UV_SYSTEM_CERTS
        return self._install(str(older), version, variables)

    def _install_older(self, older: Path) -> str:
        target = older.parent.parent
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.parent / ".lock"):
            if older.exists():
                return ""
            import shutil

            half = target.with_name(target.name + ".half")
            shutil.rmtree(half, ignore_errors=True)
            command = [find_uv(), "pip", "install", "--python", sys.executable, "--target", str(half), "--no-deps"]
            command += ["--require-hashes", "--only-binary", ":all:", "--requirements", str(OLDER_LOCK)]
            words = self._run(command, {"UV_SYSTEM_CERTS": "1"} if _certificates() else {})
            if not words:
                half.replace(target)
        return words

    def _install(self, uv: str, version: str, variables: dict[str, str] | None = None) -> str:
        # Without UV_PYTHON_INSTALL_BIN=0 newer ones put a python3.7 into ~/.local/bin as well.
        return self._run([uv, "python", "install", version], {"UV_PYTHON_INSTALL_BIN": "0"} | (variables or {}))

    def _run(self, command: list[str], variables: dict[str, str]) -> str:
        """Run a uv; returns its words if it failed, or ""."""
        environment = os.environ | variables
        environment.pop("VIRTUAL_ENV", None)
        late = threading.Event()
        lines = []

        def end() -> None:
            late.set()
            end_groups([process])

        try:
            with self.children.start(command, env=environment, stderr=subprocess.STDOUT) as process:
                timer = threading.Timer(LIMIT_SECONDS, end)
                timer.start()
                try:
                    for line in process.stdout or ():
                        lines.append(line.decode("utf-8", errors="replace").rstrip())
                        self.on_line(lines[-1])
                finally:
                    timer.cancel()
        except OSError as error:
            return f"uv cannot be started: {error}"
        if late.is_set():
            lines.append(f"ended after {LIMIT_SECONDS:.0f} seconds")
        return "\n".join(lines).strip() or "no words" if process.returncode != 0 else ""

    def _memory(self, version: str) -> Path:
        return self.folder / ".uv" / f"failed-{version}.json"

    def _remember(self, version: str, words: str) -> None:
        path = self._memory(version)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"at": time.time(), "settings": _settings(), "words": bare(words)}))


def find_uv() -> str:
    """The uv program: the one installed beside bertbuild, else the one on PATH."""
    beside = Path(sys.executable).parent / "uv"
    if beside.exists():
        return str(beside)
    from shutil import which

    return which("uv") or "uv"


def _certificates() -> bool:
    return any(os.environ.get(name) for name in CERTIFICATES)


def _settings() -> str:
    """A digest of the variables that decide whether a fetch works: who changes one is not held to what failed."""
    names = (*CERTIFICATES, *PROXIES, *(name.lower() for name in PROXIES), "PATH")
    return key.digest({name: value for name, value in os.environ.items() if name in names or name.startswith("UV_")})


def _unreachable(url: str) -> str:
    """Why the server of a URL cannot be reached, or ""; a proxy, and what is not a server, is left to uv.

    Where a firewall drops packets the older uv would try for minutes: it knows no limit for connecting.
    """
    import socket

    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError as error:
        return f"{url} is not an address: {error}"
    if not parts.hostname or any(os.environ.get(name) or os.environ.get(name.lower()) for name in PROXIES):
        return ""
    try:
        socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()
    except (OSError, UnicodeError) as error:
        return f"{parts.hostname}:{port} cannot be reached: {error}"
    return ""
