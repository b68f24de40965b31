"""Answers that are not the file that was asked for: packed, of another version, from a place that is no web server."""

from __future__ import annotations

import zlib

import pytest
from catalogue_doubles import cut_after, head, honest, status

from bertbuild.catalogue.download import download
from bertbuild.errors import DownloadError


@pytest.fixture
def get(server, tmp_path, patience):
    """Downloads the server's file."""
    server.content = bytes(range(256)) * 800

    def run(name="file"):
        return download(f"{server.url}/{name}", tmp_path / name, patience=patience)

    return run


def packed(handler, server):
    """What a proxy does that packs whatever it passes on."""
    body = zlib.compress(server.content)
    head(handler, server, 200, len(body), Content_Encoding="gzip")
    handler.wfile.write(body)


def test_an_answer_that_is_packed_is_refused_and_not_stored(get, server, tmp_path):
    server.steps = [packed]
    with pytest.raises(DownloadError, match=r"packed \(gzip\), though it was asked for the file itself"):
        get()
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "file.lock"])


@pytest.mark.parametrize("name", ["model.tar.gz", "model.tgz"])
def test_servers_that_call_an_archive_its_own_packing_are_served(get, server, name):
    def called(handler, one):
        head(handler, one, 200, len(one.content), Content_Encoding="x-gzip")
        handler.wfile.write(one.content)

    server.steps = [called]
    assert get(name).read_bytes() == server.content


def test_the_word_identity_is_no_packing(get, server):
    server.steps = [lambda handler, one: head(handler, one, 200, 0, Content_Encoding="Identity")]
    assert get().read_bytes() in (b"", server.content)


def test_a_rest_without_a_word_on_its_version_is_not_joined(get, server):
    """The file is another one by now, and the server says of the rest only where it belongs."""
    first, other = server.content, bytes(reversed(range(256))) * 800

    def rest(handler, one):
        one.content = other
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 100000-{len(first) - 1}/{len(first)}")
        handler.send_header("Content-Length", str(len(first) - 100000))
        handler.end_headers()
        handler.wfile.write(other[100000:])

    server.steps = [cut_after(100_000), rest, honest]
    assert get().read_bytes() == other


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/file", "file:///etc/hostname", "data:,file"])
def test_a_server_that_sends_on_to_no_web_server_is_refused_at_once(get, server, pauses, place):
    server.steps = [status(302, Location=place)]
    with pytest.raises(DownloadError, match=r"is not http or https: ftp|is not allowed"):
        get()
    assert pauses == []


def test_a_server_may_send_on_to_another_path(get, server):
    server.steps = [status(302, Location=f"{server.url}/elsewhere")]
    assert get().read_bytes() == server.content
    assert server.paths == ["/file", "/elsewhere"]
