"""Python 3.7 fetched by the pinned older uv, the real one, from a server of the test's own."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading

import pytest

from bertbuild.errors import InterpreterMissingError
from bertbuild.isolation import fetching, python_places
from bertbuild.isolation.fetching import OLDER, OLDER_LIST, Fetcher
from bertbuild.isolation.interpreters import find_interpreter

(PINNED,) = json.loads(OLDER_LIST.read_text()).values()
ARCHIVE = PINNED["url"].split("/download")[1]
"""As it lies below a mirror: /20200822/cpython-3.7.9-….tar.zst."""

SYSCONFIG = "# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n"
PYTHON = '#!/bin/sh\necho 3.7.9; echo "$0"\n'
"""A Python that answers the one question that it is asked."""


def archive():
    """A tar of python-build-standalone's form: python/install/bin, python/install/lib."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, text, mode in (
            ("bin/python3.7", PYTHON, 0o755),
            ("lib/python3.7/_sysconfigdata_m_linux_x86_64-linux-gnu.py", SYSCONFIG, 0o644),
        ):
            info = tarfile.TarInfo(f"python/install/{name}")
            info.size, info.mode = len(text), mode
            tar.addfile(info, io.BytesIO(text.encode()))
    return whole.getvalue()


def zstd(data):
    """A Zstandard frame of raw blocks (RFC 8878): magic number, no flags, a window of 2 MiB, one block, the last."""
    assert len(data) < 1 << 17
    return bytes.fromhex("28b52ffd0058") + (1 | len(data) << 3).to_bytes(3, "little") + data


@pytest.fixture(scope="module")
def served():
    """A server on the loopback device: path → bytes."""
    files = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = files.get(self.path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield files, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    """Where the older uv is kept: it is installed once, from the package index."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """One without any Python 3.7, and with no settings about Pythons."""
    for name in ("SYSTEM", "PYENV", "CONDA"):
        monkeypatch.setattr(python_places, name, ())
    for name in ("PYENV_ROOT", "XDG_DATA_HOME", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_DOWNLOADS", "CONDA_EXE"):
        monkeypatch.delenv(name, raising=False)
    for name in (*fetching.PROXIES, "BERTBUILD_PYTHON37", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))


def fetch(environments):
    return find_interpreter("3.7", Fetcher(folder=environments))


def refused(environments):
    with pytest.raises(InterpreterMissingError) as raised:
        fetch(environments)
    assert raised.value.exit_code == 12
    return raised.value.details


def installed(tmp_path):
    return tmp_path / "home/.local/share/uv/python/cpython-3.7.9-linux-x86_64-gnu/bin/python3.7"


def test_a_mirror_s_python_is_fetched_and_found(served, environments, monkeypatch, tmp_path):
    files, url = served
    files["/mirror" + ARCHIVE] = zstd(archive())
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", f"{url}/mirror")
    assert fetch(environments) == (installed(tmp_path), "3.7.9")
    assert (environments / ".uv" / OLDER.replace(" ", "-") / "bin" / "uv").exists()
    assert not (tmp_path / "home/.local/bin").exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [(None, "404 Not Found"), (zstd(archive())[:600], "Failed to extract archive"), (b"", "Failed to extract")],
    ids=["none", "truncated", "empty"],
)
def test_a_server_that_misbehaves_is_told_in_uv_s_words(served, environments, monkeypatch, tmp_path, data, words):
    files, url = served
    place = f"/bad-{len(data or '')}"
    if data is not None:
        files[place + ARCHIVE] = data
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", url + place)
    details = refused(environments)
    assert words in details
    assert not installed(tmp_path).exists()
    assert refused(environments).startswith(details + "\n(tried 0 minutes ago")


@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_a_list_s_hash_is_asked_for(served, environments, monkeypatch, tmp_path, right):
    files, url = served
    data = zstd(archive())
    files["/listed.tar.zst"] = data
    digest = hashlib.sha256(data if right else b"").hexdigest()
    entry = PINNED | {"url": f"{url}/listed.tar.zst", "sha256": digest}
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"cpython-3.7.9-linux-x86_64-gnu": entry}))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(listed))
    if right:
        assert fetch(environments) == (installed(tmp_path), "3.7.9")
    else:
        assert "Hash mismatch" in refused(environments)
        assert not installed(tmp_path).exists()


def test_the_list_of_ours_asks_for_the_hash_on_record(served, environments, monkeypatch, tmp_path):
    """Its archive cannot be had here; what another server has in its place is refused."""
    files, url = served
    files["/release" + ARCHIVE] = zstd(archive())
    entry = PINNED | {"url": f"{url}/release{ARCHIVE}"}
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps({"cpython-3.7.9-linux-x86_64-gnu": entry}))
    monkeypatch.setattr(fetching, "OLDER_LIST", listed)
    monkeypatch.setattr(fetching, "SOURCE", url)
    details = refused(environments)
    assert "Hash mismatch" in details
    assert PINNED["sha256"] in details
