from __future__ import annotations

import base64
import json

import pytest
from answering_server import answering

from bertbuild.remote import http as requests
from bertbuild.remote.http import Http
from bertbuild.remote.registry import SMALLEST_CHUNK, Registry


@pytest.fixture
def server(monkeypatch):
    """A registry that misbehaves as a test says; nobody waits."""
    monkeypatch.setattr(requests.time, "sleep", lambda _seconds: None)
    with answering() as made:
        yield made


@pytest.fixture
def registry(server):
    http = Http(server.host, "r", timeout=2.0)
    yield Registry(f"oci://{server.host}/r", http, "r", chunk=SMALLEST_CHUNK * 2)
    http.close()


@pytest.fixture
def login(tmp_path, monkeypatch):
    """Docker's own file of logins."""

    def write(host, word="team:s3cret"):
        value = {"auths": {host: {"auth": base64.b64encode(word.encode()).decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(value))

    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return write
