"""Logins as `docker login` left them, and certificates: what a registry is shown, and what is said of a bad one."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os

import pytest
from answering_server import always, answering, certificate

from bertbuild.errors import RemoteError
from bertbuild.remote import http as requests
from bertbuild.remote.http import Http
from bertbuild.remote.registry import Registry

NOW = dt.datetime.now(dt.timezone.utc)


def test_a_token_is_got_with_dockers_login_and_sent_to_the_registry_alone(server, registry, login):
    login(server.host)
    challenge = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:r:pull"'

    def answer(_command, path, headers, _body):
        if path.startswith("/token"):
            return (200, {}, json.dumps({"token": "t0ken"}).encode())
        if headers.get("Authorization") != "Bearer t0ken":
            return (401, {"WWW-Authenticate": challenge}, b"")
        return (307, {"Location": "https://127.0.0.1:9/blob?signature=secret"}, b"")

    server.answers = [answer]
    with pytest.raises(RemoteError) as silent:
        registry.manifest("x", 10)
    _, path, headers, _ = server.asked[1]
    assert "scope=repository%3Ar%3Apull" in path
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'team:s3cret').decode()}"
    said = f"{silent.value} {silent.value.next_step} {silent.value.details}"
    assert not [word for word in ("s3cret", "t0ken", "secret") if word in said]


def test_a_login_is_not_sent_without_tls_to_elsewhere(server, registry, login):
    login(server.host)
    server.answers = [always(401, {"WWW-Authenticate": 'Bearer realm="http://example.com/token",service="s"'}, b"")]
    with pytest.raises(RemoteError, match="without TLS"):
        registry.manifest("x", 10)


@pytest.mark.parametrize("challenge", ["", "Negotiate", "Basic realm=r"])
def test_without_a_login_it_is_told_how_to_get_one(server, registry, login, challenge):
    login("elsewhere.example.com")
    server.answers = [always(401, {"WWW-Authenticate": challenge}, b"")]
    with pytest.raises(RemoteError, match="HTTP 401") as refused:
        registry.manifest("x", 10)
    assert refused.value.next_step.startswith(f"Log in: docker login {server.host}")


def helper(folder, monkeypatch, host, said, code=0):
    """A credential helper of Docker's that says this, and a configuration that names it."""
    program = folder / "docker-credential-standin"
    program.write_text(
        f"#!/bin/sh\nread host\necho \"$1 $host\" >>'{folder}/asked'\ncat <<'END'\n{said}\nEND\nexit {code}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    (folder / "config.json").write_text(json.dumps({"credHelpers": {host: "standin"}}))


def wants(word):
    """A registry that wants a user and a word."""
    good = f"Basic {base64.b64encode(word.encode()).decode()}"

    def answer(_command, _path, headers, _body):
        if headers.get("Authorization") == good:
            return (200, {}, b"found")
        return (401, {"WWW-Authenticate": "Basic realm=r"}, b"")

    return answer


def test_a_credential_helper_of_docker_gives_the_login_once(server, registry, tmp_path, monkeypatch):
    said = json.dumps({"ServerURL": server.host, "Username": "team", "Secret": "s3cret"})
    helper(tmp_path, monkeypatch, server.host, said)
    server.answers = [wants("team:s3cret")]
    for _ in range(3):
        assert registry.manifest("x", 10) == b"found"
    assert (tmp_path / "asked").read_text() == f"get {server.host}\n"


def test_a_helper_that_gives_a_token_has_it_changed_for_one_of_the_registry(server, registry, tmp_path, monkeypatch):
    said = json.dumps({"ServerURL": server.host, "Username": "<token>", "Secret": "identity"})
    helper(tmp_path, monkeypatch, server.host, said)

    def answer(command, path, headers, body):
        if path.startswith("/token"):
            assert (command, b"refresh_token=identity" in body) == ("POST", True)
            return (200, {}, b'{"access_token": "t0ken"}')
        if headers.get("Authorization") == "Bearer t0ken":
            return (200, {}, b"found")
        return (401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token",service="s"'}, b"")

    server.answers = [answer]
    assert registry.manifest("x", 10) == b"found"


@pytest.mark.parametrize(
    ("said", "code", "told"),
    [
        ("credentials not found in native keychain", 1, "HTTP 401"),
        ("the keychain is locked: s3cret", 1, "cannot be read"),
        ("no JSON at all", 0, "cannot be read"),
    ],
)
def test_a_helper_that_has_no_login_is_told_without_its_words(
    server, registry, tmp_path, monkeypatch, said, code, told
):
    helper(tmp_path, monkeypatch, server.host, said, code)
    server.answers = [wants("team:s3cret")]
    with pytest.raises(RemoteError, match=told) as refused:
        registry.manifest("x", 10)
    words = f"{refused.value} {refused.value.next_step} {refused.value.details}"
    assert f"docker login {server.host}" in words
    assert "s3cret" not in words


def test_a_helper_that_is_not_installed_is_told(server, registry, tmp_path, monkeypatch):
    helper(tmp_path, monkeypatch, server.host, "")
    (tmp_path / "docker-credential-standin").unlink()
    server.answers = [wants("team:s3cret")]
    with pytest.raises(RemoteError, match="cannot be read"):
        registry.manifest("x", 10)


def test_a_token_that_expired_is_got_anew(server, registry, login):
    """As also where the two clocks differ: what a token says of its time is the registry's matter."""
    login(server.host)
    tokens, good = [], []

    def answer(_command, path, headers, _body):
        if path.startswith("/token"):
            tokens.append(f"t{len(tokens)}")
            good[:] = [f"Bearer {tokens[-1]}"]
            told = {"token": tokens[-1], "expires_in": 60, "issued_at": "2001-01-01T00:00:00Z"}
            return (200, {}, json.dumps(told).encode())
        if headers.get("Authorization") in good:
            return (200, {}, b"found")
        return (401, {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token",service="s"'}, b"")

    server.answers = [answer]
    for _ in range(2):
        assert registry.manifest("x", 10) == b"found"
        assert registry.manifest("x", 10) == b"found"
        good.clear()
    assert tokens == ["t0", "t1"]


@pytest.mark.parametrize(
    ("why", "began", "trusted", "told", "helps"),
    [
        ("expired", dt.timedelta(days=-2), True, "not trusted here: it has expired", "renewed"),
        ("clock", dt.timedelta(days=2), True, "not trusted here: it is not valid yet", "clock"),
        ("name", dt.timedelta(), True, "not trusted here: it is another server's", "as its certificate does"),
        ("issuer", dt.timedelta(), False, "not trusted here: its issuer is not known", "SSL_CERT_FILE"),
    ],
)
def test_a_certificate_that_is_no_good_is_told(tmp_path, monkeypatch, why, began, trusted, told, helps):
    context, file = certificate(tmp_path, NOW + began, host="127.0.0.1" if why != "name" else "10.0.0.1")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setattr(requests, "is_loopback", lambda _host: False)
    with answering(context) as server:
        server.answers = [always(200, {}, b"found")]
        http = Http(server.host, "r", timeout=2.0)
        assert http.base.startswith("https://")
        with pytest.raises(RemoteError, match=told) as refused:
            Registry("oci://x/r", http, "r").manifest("x", 10)
        assert helps in refused.value.next_step
        assert server.asked == []
