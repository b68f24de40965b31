from __future__ import annotations

import email.utils
import errno
import http.server
import os
import ssl
import threading
import time
import urllib.error
from collections import namedtuple

import pytest
from catalogue_doubles import DATES, cut_after, head, honest, ignoring_range, replaced_by, stall_after, status

from bertbuild.catalogue import disk, transfer
from bertbuild.catalogue.download import Patience, download
from bertbuild.errors import DownloadError, IntegrityError, NoSpaceError

CONTENT = os.urandom(300_000)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "file.zip"


@pytest.fixture
def get(server, target, patience):
    server.content = CONTENT

    def run(**options):
        return download(f"{server.url}/file.zip", target, patience=patience, **options)

    return run


def part_of(target):
    return target.with_name(f"{target.name}.part")


def leftovers(target):
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


def test_a_file_arrives_whole_and_progress_is_told(get, target):
    seen = []
    assert get(progress=lambda done, total: seen.append((done, total)), expected_bytes=len(CONTENT)) == target
    assert target.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert leftovers(target) == ["file.zip"]


def test_a_complete_file_is_not_fetched_again(get, server):
    get()
    get()
    assert len(server.requests) == 1


def test_a_cut_connection_is_resumed_where_it_broke(get, server, target, pauses):
    server.steps = [cut_after(100_000), cut_after(50_000)]
    get()
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=100000-", "bytes=150000-"]
    assert server.requests[1]["If-Range"] == '"v1"'
    assert pauses == [0.5, 1.0]


def test_attempts_are_bounded_and_what_arrived_is_kept_for_the_next_run(get, server, target, pauses):
    server.steps = [cut_after(100_000), *[cut_after(0)] * 3]
    with pytest.raises(DownloadError, match="ended after 100,000 of 300,000 bytes") as caught:
        get()
    assert len(pauses) == 3
    assert "100,000 bytes that arrived are kept" in caught.value.next_step
    assert caught.value.details.count("attempt") == 4
    get()
    assert target.read_bytes() == CONTENT
    assert server.ranges()[-1] == "bytes=100000-"


def test_a_long_file_on_a_bad_line_earns_its_attempts_back(get, server, target):
    server.content = os.urandom(8 << 20)
    server.steps = [cut_after(1 << 20)] * 7
    get()
    assert target.read_bytes() == server.content
    assert len(server.requests) == 8


def test_a_server_that_ignores_ranges_sends_it_all_again(get, server, target):
    server.steps = [cut_after(100_000), ignoring_range]
    get()
    assert target.read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_and_always_cuts_does_not_hold_us_for_ever(get, server):
    server.content = os.urandom(3 << 20)

    def step(handler, server):
        head(handler, server, 200, len(server.content))
        handler.wfile.write(server.content[: 2 << 20])

    server.steps = [step] * 20
    with pytest.raises(DownloadError):
        get()
    assert len(server.requests) == 4


def test_a_file_that_changed_midway_is_fetched_anew(get, server, target):
    new = os.urandom(250_000)
    server.steps = [cut_after(100_000), replaced_by(new, '"v2"')]
    get()
    assert target.read_bytes() == new


def test_a_server_that_resumes_another_version_is_not_believed(get, server, target):
    """It honours Range but not If-Range: the pieces must not be joined."""
    new = os.urandom(300_000)

    def step(handler, server):
        head(handler, server, 206, 200_000, Content_Range="bytes 100000-299999/300000")
        handler.wfile.write(server.content[100_000:])

    server.steps = [cut_after(100_000), replaced_by(new, '"v2"', then=step)]
    get()
    assert target.read_bytes() == new
    assert server.ranges() == [None, "bytes=100000-", None]


@pytest.mark.parametrize("said", ["bytes 5-299999/300000", "bytes 100000-299999/999", "nonsense", ""])
def test_a_wrong_content_range_starts_anew(get, server, target, said):
    def step(handler, server):
        head(handler, server, 206, 200_000, Content_Range=said)
        handler.wfile.write(server.content[100_000:])

    server.steps = [cut_after(100_000), step]
    get()
    assert target.read_bytes() == CONTENT
    assert server.ranges()[-1] is None


def test_416_starts_anew(get, server, target):
    server.steps = [cut_after(100_000), status(416)]
    get()
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=100000-", None]


def test_without_a_strong_validator_the_rest_is_not_asked_for(get, server, target):
    server.etag = 'W/"weak"'
    server.steps = [cut_after(100_000)]
    get()
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, None]


def test_a_date_serves_as_validator(get, server, target):
    server.etag, server.last_modified = None, DATES["2018"]
    server.steps = [cut_after(100_000)]
    get()
    assert target.read_bytes() == CONTENT
    assert server.requests[1]["If-Range"] == DATES["2018"]


def test_a_part_of_another_address_is_not_continued(get, server, target):
    server.steps = [cut_after(100_000)]
    with pytest.raises(DownloadError):
        download(f"{server.url}/other.zip", target, patience=Patience(attempts=1))
    get()
    assert server.ranges() == [None, None]
    assert target.read_bytes() == CONTENT


def test_a_complete_part_left_by_a_crash_needs_no_request(get, server, target, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("bertbuild.catalogue.partial.Partial.finish", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            get()
    get()
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1


def _interrupt(*_args):
    raise KeyboardInterrupt


def test_ctrl_c_keeps_the_part(get, server, target):
    server.content = CONTENT * 4  # more than one chunk

    def stop(done, _total):
        if done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(progress=stop)
    kept = part_of(target).stat().st_size
    assert 0 < kept < len(server.content)
    get()
    assert target.read_bytes() == server.content
    assert server.ranges() == [None, f"bytes={kept}-"]


@pytest.mark.parametrize("code", [500, 502, 503, 504, 408])
def test_a_server_in_trouble_is_asked_again(get, server, target, code):
    server.steps = [status(code), status(code)]
    get()
    assert target.read_bytes() == CONTENT


def test_retry_after_in_seconds_is_obeyed_up_to_a_limit(get, server, pauses):
    server.steps = [status(429, Retry_After=7), status(429, Retry_After=99999)]
    said = []
    get(note=said.append)
    assert pauses == [7, 60]
    assert "HTTP 429" in said[0]
    assert "7.0 s" in said[0]


def test_retry_after_may_be_a_date(get, server, pauses):
    server.steps = [status(503, Retry_After=email.utils.formatdate(time.time() + 20, usegmt=True))]
    get()
    assert 15 < pauses[0] <= 20


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final(get, server, pauses, code):
    server.steps = [status(code)]
    with pytest.raises(DownloadError, match=f"HTTP {code}") as caught:
        get()
    assert pauses == []
    assert "--mirror" in caught.value.next_step


def test_a_stalled_connection_is_given_up_and_resumed(get, server, target):
    server.steps = [stall_after(100_000)]
    said = []
    get(note=said.append)
    assert target.read_bytes() == CONTENT
    assert "fell silent" in said[0]
    assert server.ranges()[1] == "bytes=100000-"


def test_a_server_that_hangs_up_without_a_word_is_asked_again(get, server, target):
    server.steps = [lambda handler, _server: handler.connection.close()]
    get()
    assert target.read_bytes() == CONTENT


def test_nobody_listening_is_a_download_error(target, patience):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    with pytest.raises(DownloadError, match="refused"):
        download(f"http://127.0.0.1:{port}/x", target, patience=patience)


def test_a_length_other_than_on_record_is_refused_before_anything_is_fetched(get, target):
    with pytest.raises(IntegrityError, match=r"300,000 bytes on the server, but 5 on record"):
        get(expected_bytes=5)
    assert leftovers(target) == []


def test_a_server_that_promises_too_much_is_found_out(get, server):
    def step(handler, server):
        head(handler, server, 200, len(server.content) + 10)
        handler.wfile.write(server.content)

    server.steps = [step] * 4
    with pytest.raises(DownloadError, match="ended after 300,000 of 300,010"):
        get()


def test_a_body_without_length_is_held_against_the_record(get, server, target):
    def step(handler, server):
        head(handler, server, 200, None)
        handler.wfile.write(server.content)

    server.steps = [lambda handler, server: (head(handler, server, 200, None), handler.wfile.write(b"x")), step]
    get(expected_bytes=300_000)
    assert target.read_bytes() == CONTENT


def test_a_body_without_length_and_too_long_is_refused(get, server, target):
    server.steps = [lambda handler, server: (head(handler, server, 200, None), handler.wfile.write(b"x" * 9))]
    with pytest.raises(IntegrityError, match="9 bytes on the server, but 5 on record"):
        get(expected_bytes=5)
    assert leftovers(target) == []


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/zip"])
def test_a_web_page_in_place_of_the_file_is_named_as_such(get, server, target, pauses, kind):
    page = b"\n<!DOCTYPE HTML><title>Please log in</title>"

    def step(handler, server):
        head(handler, server, 200, len(page), Content_Type=kind)
        handler.wfile.write(page)

    server.steps = [step]
    with pytest.raises(DownloadError, match="a web page in place of the file") as caught:
        get()
    assert "Please log in" in caught.value.details
    assert pauses == []
    assert leftovers(target) == []


def test_too_little_space_is_said_before_the_body_is_fetched(get, target, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage(1_000_000, 900_000, 100_000))
    with pytest.raises(NoSpaceError, match=r"needs 0\.3 MB .* where 0\.1 MB are left"):
        get()
    assert part_of(target).stat().st_size == 0


def test_a_disk_that_fills_up_keeps_what_fits(get, server, target, monkeypatch):
    real = transfer.Attempt._read
    reads = []

    class Full(bytes):
        """Bytes that the disk does not take."""

    def read(self, response):
        reads.append(1)
        return real(self, response) if len(reads) == 1 else Full(b"more")

    class Stream:
        def __init__(self, stream):
            self.stream = stream

        def write(self, chunk):
            if isinstance(chunk, Full):
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.stream.write(chunk)

        def __enter__(self):
            return self

        def __exit__(self, *_args):
            self.stream.close()

        def __getattr__(self, name):
            return getattr(self.stream, name)

    with monkeypatch.context() as patch:
        patch.setattr(transfer.Attempt, "_read", read)
        opened = type(target).open
        patch.setattr(type(target), "open", lambda path, *args, **more: Stream(opened(path, *args, **more)))
        with pytest.raises(NoSpaceError, match="became full"):
            get()
    kept = part_of(target).stat().st_size
    assert 0 < kept < len(CONTENT)
    get()
    assert target.read_bytes() == CONTENT
    assert server.ranges()[-1] == f"bytes={kept}-"


def test_two_downloads_of_one_file_make_one_request(get, server):
    """Two threads open the lock file apart, so they stand for two processes."""
    started, waiting = threading.Event(), threading.Event()

    def slow(handler, server):
        started.set()
        waiting.wait(60)
        honest(handler, server)

    server.steps = [slow]
    first = threading.Thread(target=get)
    first.start()
    assert started.wait(60)
    said = []
    get(note=lambda sentence: (said.append(sentence), waiting.set()))
    first.join()
    assert len(server.requests) == 1
    assert said == [f"Another process is fetching {server.url}/file.zip; waiting for it."]


def test_only_http_is_spoken(target):
    with pytest.raises(DownloadError, match="not an http"):
        download("ftp://example.org/x.zip", target)


def test_a_certificate_not_trusted_is_final(target, patience, pauses, monkeypatch):
    def untrusted(*_args, **_more):
        raise urllib.error.URLError(ssl.SSLCertVerificationError(1, "self-signed certificate"))

    monkeypatch.setattr(transfer.urllib.request.OpenerDirector, "open", untrusted)
    with pytest.raises(DownloadError, match="not trusted here") as caught:
        download("https://example.org/file.zip", target, patience=patience)
    assert "SSL_CERT_FILE" in caught.value.next_step
    assert "self-signed" in caught.value.details
    assert pauses == []


@pytest.mark.parametrize("code", [204, 206])
def test_an_answer_to_another_question_is_refused(get, server, code):
    server.steps = [status(code)]
    with pytest.raises(DownloadError, match=f"with HTTP {code}"):
        get()


def test_a_range_of_unknown_total_is_continued(get, server, target):
    def step(handler, server):
        head(handler, server, 206, 200_000, Content_Range="bytes 100000-299999/*")
        handler.wfile.write(server.content[100_000:])

    server.steps = [cut_after(100_000), step]
    get()
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_a_part_that_cannot_be_written_is_a_download_error(get, target):
    part_of(target).mkdir()
    with pytest.raises(DownloadError, match=r"file\.zip cannot be written"):
        get()
