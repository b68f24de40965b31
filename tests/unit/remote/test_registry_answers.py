"""A registry that misbehaves in one way at a time; the real one is in tests/integration/builds/test_registry.py."""

from __future__ import annotations

import hashlib
import io
import json
from functools import partial

import pytest
from answering_server import always, in_turn, of

from bertbuild.errors import RemoteError, UsageError
from bertbuild.remote.http import Http, is_loopback
from bertbuild.remote.opening import open_transport
from bertbuild.remote.registry import SMALLEST_CHUNK, Registry


def test_one_connection_is_used_for_one_request_after_another(server, registry):
    """Also after answers whose bodies nobody wants: a busy registry's, one that sends elsewhere, a HEAD's."""
    server.answers = [
        in_turn(
            (200, {}, b"its body is not sent"),
            (404, {}, b"nothing there"),
            (503, {}, b"later"),
            (307, {"Location": "/elsewhere"}, b"there"),
            (200, {}, b"found"),
        )
    ]
    assert registry.has_manifest("x")
    assert registry.manifest("x", 100) is None
    assert registry.manifest("x", 100) == b"found"
    assert (len(server.asked), len(server.connections)) == (5, 1)


def test_a_registry_that_has_nothing_says_so(registry):
    assert registry.manifest("x", 10) is None
    assert not registry.has_manifest("x")
    assert list(registry.names()) == []


@pytest.mark.parametrize("status", [400, 405, 418])
def test_an_answer_that_says_neither_yes_nor_no_is_an_error(server, registry, status):
    server.answers = [always(status, {}, b"")]
    with pytest.raises(RemoteError, match=f"HTTP {status}"):
        registry.manifest("x", 10)


def test_a_busy_registry_is_asked_again_and_then_given_up(server, registry):
    server.answers = [in_turn((503, {}, b""), (429, {"Retry-After": "1"}, b""), (200, {}, b"found"))]
    assert registry.manifest("x", 10) == b"found"
    server.answers = [always(503, {}, b"")]
    with pytest.raises(RemoteError, match=r"it has a fault \(HTTP 503\)"):
        registry.manifest("x", 10)


def test_one_that_wants_to_be_left_alone_for_long_is_given_up_at_once(server, registry):
    server.answers = [always(429, {"Retry-After": "3600"}, b"")]
    with pytest.raises(RemoteError, match="asked too often"):
        registry.manifest("x", 10)
    assert len(server.asked) == 1


def test_no_more_of_a_manifest_is_read_than_is_wanted(server, registry):
    server.answers = [always(200, {}, b"x" * 100_000)]
    assert len(registry.manifest("x", 10)) == 11


@pytest.mark.parametrize("told", ["bytes 4-9/10", "bytes 0-9/10", "", "bytes x"])
def test_another_part_than_was_asked_for_is_refused(server, registry, told):
    server.answers = [always(206, {"Content-Range": told}, b"012345")]
    with pytest.raises(RemoteError, match="another part of a file"):
        list(registry.blob("0" * 64, 5))


def test_one_that_knows_no_ranges_gives_the_rest_all_the_same(server, registry):
    server.answers = [always(200, {}, b"0123456789")]
    assert b"".join(registry.blob("0" * 64, 4)) == b"456789"


def test_a_connection_that_breaks_in_a_file_is_an_error(server, registry):
    server.answers = [always(200, {"Content-Length": "100"}, b"short")]
    with pytest.raises(RemoteError, match="does not answer"):
        list(registry.blob("0" * 64, 0))


def uploads(server, *, most=1 << 40, break_at=()):
    """Answers of a registry that takes uploads, of requests up to a size; it loses those whose numbers are named."""
    state = {"content": b"", "number": 0}

    def answer(command, path, _headers, body):
        state["number"] += 1
        if command == "POST":
            state["content"] = b""
            return (202, {"Location": f"http://{server.host}/v2/r/blobs/uploads/1?state=a"}, b"")
        if len(body) > most:
            return (413, {}, b"")
        if state["number"] in break_at:
            return ("close", {}, b"")
        if command == "PATCH":
            state["content"] += body
            return (202, {"Location": "/v2/r/blobs/uploads/1", "Range": f"0-{len(state['content']) - 1}"}, b"")
        if command == "PUT":
            state["content"] += body
            good = hashlib.sha256(state["content"]).hexdigest() in path
            return (201 if good else 400, {}, b"")
        return None

    server.answers = [answer]
    return state


@pytest.mark.parametrize(
    ("given", "requests"),
    [({}, 4), ({"break_at": [3]}, 7), ({"most": SMALLEST_CHUNK}, 7)],
    ids=["good", "broken", "small"],
)
def test_a_file_is_sent_whole_whatever_breaks(server, registry, given, requests):
    content = bytes(range(256)) * (SMALLEST_CHUNK * 3 // 256)
    state, told = uploads(server, **given), []
    registry.put_blob(hashlib.sha256(content).hexdigest(), len(content), partial(io.BytesIO, content), told.append)
    assert state["content"] == content
    assert sum(told) == len(content)
    assert len(server.asked) == requests


def test_a_registry_that_takes_no_file_of_any_size_is_told(server, registry):
    uploads(server, most=10)
    content = b"x" * (SMALLEST_CHUNK * 3)
    with pytest.raises(RemoteError, match="takes no files of this size"):
        registry.put_blob("0" * 64, len(content), partial(io.BytesIO, content), abs)


def test_another_content_than_announced_is_refused_by_the_registry_and_told(server, registry):
    uploads(server)
    with pytest.raises(RemoteError, match="does not take a file"):
        registry.put_blob("0" * 64, 3, partial(io.BytesIO, b"abc"), abs)


def test_results_of_a_prefix_are_a_scope_of_their_own(server):
    tags = json.dumps({"tags": ["a", "pr-1.b", "pr-2.c"]}).encode()
    server.answers = [of("GET", 200, {}, tags)]
    for prefix, names in (("", ["a"]), ("pr-1", ["b"])):
        http = Http(server.host, "r")
        assert list(Registry("oci://x", http, "r", prefix).names()) == names
        http.close()


def test_a_list_of_tags_goes_on_over_pages(server, registry):
    pages = [
        (200, {"Link": '</v2/r/tags/list?n=1000&last=a>; rel="next"'}, b'{"tags": ["a"]}'),
        (200, {}, b'{"tags": ["b"]}'),
    ]
    server.answers = [in_turn(*pages)]
    assert list(registry.names()) == ["a", "b"]


def test_a_registry_without_deletion_is_told(server, registry):
    server.answers = [of("GET", 200, {}, b"{}"), of("DELETE", 405, {}, b"")]
    with pytest.raises(RemoteError, match="does not let anything be removed"):
        registry.remove("x")


@pytest.mark.parametrize(
    "address",
    ["oci://host", "oci://host/Upper", "oci://user:word@host/r", "oci://host/r:", "oci://host/r?x", "oci:///r"],
)
def test_an_address_without_a_repository_is_refused_and_no_login_is_told(address):
    with pytest.raises(UsageError, match="names no repository") as refused:
        open_transport(address)
    assert "word" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("oci://localhost:5000/a/b", "http://localhost:5000"),
        ("oci://127.0.0.1/a", "http://127.0.0.1"),
        ("oci://[::1]:80/a", "http://[::1]:80"),
        ("oci://host/a:p", "https://host"),
        ("oci+http://host:80/a", "http://host:80"),
        ("oci://127.0.0.1.example.com/a", "https://127.0.0.1.example.com"),
    ],
)
def test_only_this_machine_is_asked_without_tls_or_who_is_said_to(address, base):
    assert open_transport(address)._http.base == base


def test_loopback():
    assert [is_loopback(host) for host in ("localhost", "127.9.9.9:1", "[::1]", "localhost.org", "10.0.0.1")] == [
        True,
        True,
        True,
        False,
        False,
    ]
