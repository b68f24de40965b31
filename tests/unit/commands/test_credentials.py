"""A mirror with a password: the files come, and the password is in no message, no event, no record and no file."""

from __future__ import annotations

import base64
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bertbuild.api import Project
from bertbuild.catalogue.download import Patience, download
from bertbuild.catalogue.sources import Sources
from bertbuild.cli import frame
from bertbuild.commands import opening
from bertbuild.errors import BertbuildError, DownloadError, UsageError
from bertbuild.isolation.unlocked import unlocked

SECRET = "hunter2"  # noqa: S105 - nobody's
CONTENT = b"content" * 1000


@pytest.fixture
def guarded(monkeypatch):
    """A server that wants to know who asks; gives its address with user and password, and the requests' headers."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(dict(self.headers))
            known = self.headers.get("Authorization") == "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
            path = self.path
            self.send_response(302 if path == "/on" else 200 if known else 401, "Who asks")
            if path == "/on":
                self.send_header("Location", f"http://localhost:{self.server.server_port}/file")
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(2 * len(CONTENT) if path == "/cut" else len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *_args):
            """Say nothing."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://me:{SECRET}@127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


PATIENCE = Patience(attempts=2, timeout=1, sleep=lambda _seconds: None)


def test_what_is_behind_a_password_is_fetched(guarded, tmp_path):
    url, asked = guarded
    assert download(f"{url}/file", tmp_path / "file", patience=PATIENCE).read_bytes() == CONTENT
    assert asked[0]["Authorization"].startswith("Basic ")


def test_a_server_that_is_sent_on_to_is_told_no_password(guarded, tmp_path):
    url, asked = guarded
    with pytest.raises(DownloadError, match="401"):
        download(f"{url}/on", tmp_path / "file", patience=PATIENCE)
    assert ["Authorization" in headers for headers in asked] == [True, False]


def test_the_password_is_in_no_error_no_note_and_no_file(guarded, tmp_path):
    url, _ = guarded
    notes = []
    with pytest.raises(DownloadError) as raised:
        download(f"{url}/cut", tmp_path / "file", patience=PATIENCE, note=notes.append)
    assert (tmp_path / "file.part.json").exists()
    told = [str(raised.value), raised.value.next_step, raised.value.details, *notes]
    told += [path.read_text() for path in tmp_path.iterdir()]
    assert SECRET not in "".join(told)
    assert "127.0.0.1" in str(raised.value)


@pytest.mark.parametrize(
    "mirror", [f"ftp://me:{SECRET}@h/x", f"https://me:{SECRET}/x@h:p/", f"https://me:{SECRET}@[zz"]
)
def test_a_mirror_that_is_refused_is_told_without_its_password(mirror):
    with pytest.raises(UsageError) as raised:
        Sources(mirror=mirror)
    opening._strip(raised.value)
    assert SECRET not in str(raised.value) + raised.value.next_step


class Seen(list):
    def __call__(self, event):
        self.append(event)

    def close(self):
        """Nothing is open."""


def test_whatever_a_command_reports_reaches_screen_and_log_without_it(tmp_path):
    seen = Seen()
    failure = DownloadError(
        f"https://me:{SECRET}@h/ failed.", next_step=f"http://{SECRET}@h", details=f"a://{SECRET}@h"
    )
    with pytest.raises(BertbuildError) as raised:
        _reported(seen, tmp_path, failure)
    assert [event["event"] for event in seen] == ["run", "note", "error"]
    written = (tmp_path / "runs" / "1.jsonl").read_text()
    assert "Looking in indexes: https://h/simple" in written
    assert SECRET not in str(seen) + written + str(raised.value) + raised.value.next_step + raised.value.details


def _reported(seen, folder, failure):
    with opening.opened(seen, {"artifacts": str(folder)}) as session:
        session.report({"event": "run", "run": "1", "started": 0, "models": [f"https://me:{SECRET}@h/"]})
        session.report({"event": "note", "text": f"Looking in indexes: https://me:{SECRET}@h/simple"})
        raise failure


def test_an_error_before_any_command_is_told_without_it(capsys):
    frame.refused(UsageError(f"No such flag: --x=https://me:{SECRET}@h/.", next_step="None."), json=True)
    assert SECRET not in capsys.readouterr().out


def test_the_key_of_packages_without_hashes_knows_no_password(monkeypatch):
    packages = unlocked("neuron")
    monkeypatch.setenv(packages.variable, "https://h/simple")
    without = packages.digest()
    monkeypatch.setenv(packages.variable, f"https://me:{SECRET}@h/simple")
    assert packages.digest() == without


def test_a_listener_of_python_gets_none(tmp_path):
    seen = []
    project = Project(artifacts=tmp_path / "a", mirror=f"gopher://me:{SECRET}@h", listener=seen.append)
    with pytest.raises(BertbuildError) as raised:
        project.fetch("bert-tiny")
    assert SECRET not in str(raised.value) + str(seen)


def test_the_program_prints_none(tmp_path):
    command = [sys.executable, "-m", "bertbuild", "fetch", "--model", "bert-tiny", "--mirror", f"ftp://me:{SECRET}@h/"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "ftp://h/" in ran.stderr
    assert SECRET not in ran.stdout + ran.stderr
