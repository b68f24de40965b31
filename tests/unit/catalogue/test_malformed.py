"""Addresses, answers and archives that no standard knows: a sentence each, never a traceback."""

from __future__ import annotations

import pytest
from catalogue_doubles import CHECKPOINT, zip_of

from bertbuild.catalogue.archive import unpack_archive
from bertbuild.catalogue.download import download
from bertbuild.catalogue.sources import Sources
from bertbuild.errors import ArchiveError, DownloadError, UsageError
from bertbuild.isolation.fetching import _unreachable


@pytest.mark.parametrize(
    "url",
    ["http://[::1/x", "http://127.0.0.1/\u00e9", "http://\u00e9" + "x" * 80 + "/x", "http://a:b/x", "http://a b/x"],
)
def test_a_malformed_address_is_refused_at_once(tmp_path, patience, pauses, url):
    with pytest.raises(DownloadError, match="an address that is malformed") as raised:
        download(url, tmp_path / "file", patience=patience)
    assert raised.value.exit_code == 5
    assert pauses == []


@pytest.mark.parametrize("target", ["http://[::1/x", "http://a:b/x", "http://[zz]/"])
def test_a_malformed_address_that_a_server_sends_on_to_is_refused(server, tmp_path, patience, target):
    def redirect(handler, _server):
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.steps = [redirect]
    with pytest.raises(DownloadError, match="an address that is malformed"):
        download(f"{server.url}/file", tmp_path / "file", patience=patience)


@pytest.mark.parametrize("name", ["Content-Length", "Retry-After"])
def test_a_number_of_five_thousand_digits_is_no_number(server, tmp_path, patience, name):
    server.content = b"content"

    def long(handler, one):
        handler.send_response(200 if name == "Content-Length" else 503)
        handler.send_header(name, "9" * 5000)
        handler.end_headers()
        handler.wfile.write(one.content)

    server.steps = [long]
    assert download(f"{server.url}/file", tmp_path / "file", patience=patience).read_bytes() == b"content"


@pytest.mark.parametrize("mirror", ["http://[::1/x", "file:///[x", "https://a:b/x"])
def test_a_malformed_mirror_is_refused_before_anything_is_fetched(mirror):
    if mirror.startswith("file:"):
        Sources(mirror=mirror)  # brackets are allowed in a path
        return
    with pytest.raises(UsageError, match="is not a whole address"):
        Sources(mirror=mirror)


def test_a_malformed_address_of_an_index_is_told(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert "is not an address" in _unreachable("http://[::1/x")


def test_every_byte_of_a_zip_changed_leads_to_its_files_or_to_a_sentence(tmp_path):
    sound = zip_of({"\u00e9.txt": b"more"})
    path = tmp_path / "some.zip"
    refused = []
    for place in range(len(sound)):
        for value in (0, 255) if place % 2 else (sound[place] ^ 0x80,):
            path.write_bytes(sound[:place] + bytes([value]) + sound[place + 1 :])
            try:
                unpack_archive(path, tmp_path / f"{place}-{value}")
            except ArchiveError as error:
                refused.append(error)
    assert len(refused) > len(sound) // 4
    assert all(error.next_step for error in refused)


def test_a_zip_that_needs_a_version_that_there_is_not_is_an_archive_error(tmp_path):
    content = bytearray(zip_of(CHECKPOINT))
    content[content.index(b"PK\x01\x02") + 6] = 255
    (tmp_path / "some.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match="cannot be read"):
        unpack_archive(tmp_path / "some.zip", tmp_path / "out")
